"""Lines of several sentences become rows with ids of their own; unequal pairs stay whole."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distilmt.config import CorpusConfig
from distilmt.data.line_splitting import split_lines
from distilmt.data.pairs import Pair
from distilmt.data.prepare import load_split, prepare

PAIRS = [
    Pair(1, "It rains. We stay here! Why?", "Es regnet. Wir bleiben hier! Warum?", 0.5, "chat"),
    Pair(2, "One sentence, e.g. this one.", "Ein Satz, z.B. dieser."),
    Pair(3, "Two of them. Here.", "Beide in einem"),
    Pair(4, "下雨了。我们留下。", "Es regnet. Wir bleiben."),
]


def test_equal_numbers_are_split(messages: list[str]) -> None:
    rows = list(split_lines(PAIRS, "train", False))
    assert [(row.place, row.source) for row in rows] == [
        ("000001s1", "It rains."),
        ("000001s2", "We stay here!"),
        ("000001s3", "Why?"),
        ("000002", PAIRS[1].source),
        ("000003", PAIRS[2].source),
        ("000004s1", "下雨了。"),
        ("000004s2", "我们留下。"),
    ]
    assert {(row.score, row.register) for row in rows[:3]} == {(0.5, "chat")} and rows[1].target == "Wir bleiben hier!"
    assert "2 lines of several sentences are split; 1 stay whole" in messages[0]
    assert [row.source for row in split_lines([PAIRS[2]], "mono", True)] == ["Two of them.", "Here."]


@given(st.lists(st.text("aB é.!?。 …”\t", max_size=40), max_size=6))
def test_no_text_is_lost(texts: list[str]) -> None:
    pairs = [Pair(line, text, "") for line, text in enumerate(texts, 1)]
    rows = list(split_lines(pairs, "mono", True))
    assert len({row.place for row in rows}) == len(rows)
    for pair in pairs:
        parts = [row.source for row in rows if row.line == pair.line]
        assert "".join("".join(parts).split()) == "".join(pair.source.split())


def test_rows_of_a_corpus(tmp_path: Path) -> None:
    lines = [f"Sentence {n} of the text. Another one, {n}." for n in range(60)]
    (tmp_path / "text.en").write_text("".join(f"{line}\n" for line in lines))
    config = CorpusConfig(monolingual=[str(tmp_path / "text.en")], split_sentences=True, valid_size=5, test_size=5)
    result = prepare(config, 1, tmp_path / "out")
    ids = load_split(tmp_path / "out", "train")["id"].to_pylist()
    assert result.train == len(set(ids)) == 110 and all(name.endswith(("s1", "s2")) for name in ids)
    config.split_sentences = False
    assert prepare(config, 1, tmp_path / "whole").train == 50
