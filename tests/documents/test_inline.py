"""Tags whose place is not found are put by attention; and whatever attention is, no mark is lost."""

import random
import re

from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document, translate_html
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, text_of
from distilmt.documents.tag_alignment import align_by_attention

WORDS = {"the": "der", "white": "weiße", "dog": "Hund", "runs": "läuft", "home": "heim", "today": "heute"}
ORDER = ["today", "runs", "the", "white", "dog", "home"]  # as German has it


def words_of(text):
    return [(match.span(), match[0].lower()) for match in re.finditer(r"\w+", text)]


def translate(texts):
    """Sentences in German order; parts by themselves are translated by other words, so that they are not found."""
    instance = []
    for text in texts:
        words = [word for _, word in words_of(text)]
        if len(words) < len(ORDER):
            instance.append(" ".join(f"{word}xyz" for word in words))
        else:
            instance.append(" ".join(WORDS[word] for word in ORDER) + ".")
    return instance


def attention(texts, output):
    """Each word on its own, but for a tenth on the full stop."""
    back = {german.lower(): english for english, german in WORDS.items()}
    result = []
    for text, translation in zip(texts, output, strict=True):
        pieces = [*words_of(text), ((len(text) - 1, len(text)), ".")]
        result.append(
            [
                (span, [(place, 0.9 * (back[word] == english) + 0.1 * (english == ".")) for place, english in pieces])
                for span, word in words_of(translation)
            ]
        )
    return result


def test_a_tag_goes_around_the_words_that_attended():
    model = TranslateWithAttention(translate, attention)
    cases = {
        "The <b>white dog</b> runs home today.": "heute läuft der <b>weiße Hund</b> heim.",
        "The white dog <b>runs home</b> today.": "heute <b>läuft</b> der weiße Hund heim.",  # more of others than of it
        "The white dog runs home <b>today.</b>": "<b>heute</b> läuft der weiße Hund heim.",
        "<b>The white</b> dog runs <i>home</i> today.": "heute läuft <b>der weiße</b> Hund <i>heim</i>.",
        "The <b>white <i>dog</i></b> runs home today.": "heute läuft der <b>weiße <i>Hund</i></b> heim.",
    }
    for page, expected in cases.items():
        assert translate_html(page, model) == expected
        assert "xyz" in translate_html(page, translate), "in parts, as the model tells no attention"


def test_tags_that_would_change_places_cut_the_sentence():
    page = "The white <b>dog</b> runs home <i>today</i>."
    assert translate_html(page, TranslateWithAttention(translate, attention)) == translate_html(page, translate)


def test_what_is_detected_requests_no_attention():
    def never(texts, output):
        raise AssertionError(texts)

    units = [["A ", InlineTag("open", "<b>"), "dog", InlineTag("close", "</b>"), " runs."], ["No tags."]]
    instance = translate_segments(units, TranslateWithAttention(lambda texts: [text.upper() for text in texts], never))
    assert [text_of(unit) for unit in instance] == ["A <b>DOG</b> RUNS.", "NO TAGS."]


def test_no_attention_no_place():
    assert align_by_attention([], (0, 3), "The", "der") is None
    flat = [((0, 3), [((0, 3), 0.1), ((4, 9), 0.9)]), ((4, 8), [((0, 3), 0.1), ((4, 9), 0.9)])]
    assert align_by_attention(flat, (0, 3), "The", "der Hund") is None
    assert align_by_attention(flat, (4, 9), "white", "der Hund") == (0, 8)
    assert align_by_attention([((0, 1), [((0, 3), 0.0)])], (0, 3), "The", ".") is None


PIECES = [
    "A dog",
    " runs ",
    "home. ",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<br>",
    "%s ",
    "{x}",
    "  ",
    "\n",
    "犬。",
    "-",
    "é ",
]


@settings(max_examples=example_count(100), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.integers(0, 2**32))
def test_marks_stay_whatever_attention_is(page, seed):
    draw = random.Random(seed)

    def anything(texts):
        return [" ".join(draw.choices(text.split() or ["x"], k=draw.randint(0, 8))) for text in texts]

    def sample(texts, output):
        return [
            [
                (span, [(place, draw.choice((0.0, draw.random()))) for place, _ in words_of(t)])
                for span, _ in words_of(s)
            ]
            * draw.randint(0, 1)
            for t, s in zip(texts, output, strict=True)
        ]

    marks = re.compile(r"</?\w+>")
    model = TranslateWithAttention(anything, sample)
    assert marks.findall(translate_html(page, model)) == marks.findall(page)
    instance = translate_document(page.encode(), "x.md", model).decode()
    assert instance.count("%s") == page.count("%s") and instance.count("{x}") == page.count("{x}")
