"""The study of the ten sections, on texts made up here."""

import random

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("skops")

from distilmt.classification import study
from distilmt.data.readers.debian_sections import LabeledText

WORDS = {
    "games": ["puzzle", "arcade", "player", "level", "board", "cards", "dice", "maze", "shooter", "joystick"],
    "net": ["server", "client", "protocol", "packet", "proxy", "router", "socket", "tunnel", "peer", "gateway"],
    "fonts": ["glyph", "serif", "typeface", "outline", "kerning", "latin", "cyrillic", "bold", "italic", "ligature"],
}


def invented(count: int, seed: int) -> list[LabeledText]:
    draw = random.Random(seed)
    result = []
    for i in range(count):
        label = draw.choice(sorted(WORDS))
        own = draw.choices(WORDS[label], k=5)
        others = draw.choices([word for words in WORDS.values() for word in words], k=4)
        result.append(LabeledText(label, f"s{i}", f"p{i}", " ".join(draw.sample(own + others, 9))))
    return result


@pytest.fixture(scope="module")
def rows():
    return list(study.study(invented(240, 1), invented(80, 2), seed=1))


def test_every_student_learns_from_every_teacher(rows):
    names = [student.name for student in study.students(1)]
    assert len(names) == len(set(names)) == 7
    taught = [(row.teacher, row.student) for row in rows if row.without is not None]
    assert taught == [(teacher, name) for teacher in study.teachers(1) for name in names]
    assert [row.student for row in rows if row.without is None] == list(study.teachers(1))


def test_they_learn_and_are_measured(rows):
    for row in rows:
        assert row.scores.accuracy.value > 0.5 and row.scores.bytes and row.fit_seconds > 0, row.student
        if row.without is not None:
            assert row.without.accuracy.value > 0.5 and row.scores.against is not None
            assert row.scores.agreement is not None


def test_the_same_seed_gives_the_same(rows):
    again = next(study.study(invented(240, 1), invented(80, 2), seed=1))
    assert again.scores.accuracy == rows[0].scores.accuracy
