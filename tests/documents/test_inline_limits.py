"""Sentences with very many marks: nothing is nested too deep, work grows with length, batches are bounded."""

import pytest
from helpers.document_models import calls, same
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, text_of
from distilmt.documents.tag_alignment import TagSlot, place_tags


def tag(kind, raw):
    return InlineTag(kind, raw)


UNITS = {
    "strings": lambda n: ["a ", "_"] * n,
    "open tags": lambda n: ["a ", tag("open", "<b>")] * n,
    "pairs": lambda n: [tag("open", "<b>"), "a word", tag("close", "</b>"), " "] * n,
    "nested": lambda n: [tag("open", "<b>"), "a "] * n + ["word", tag("close", "</b>")] * n,
    "kept": lambda n: ["a ", InlineTag("kept", "`x`", "x"), " b "] * n,
    "breaks": lambda n: ["a", InlineTag("break", "\n")] * n,
    "sentences": lambda n: ["A dog runs. "] * n,
    "placeholders": lambda n: ["a %s b "] * n,
}


@pytest.mark.parametrize("name", UNITS)
def test_work_grows_with_length_and_no_faster(name):
    small, big = (calls(lambda n=n: translate_segments([UNITS[name](n)], same)) for n in (1000, 2000))
    assert big < 2.5 * small


@pytest.mark.parametrize("name", UNITS)
def test_every_mark_stays_in_a_long_sentence(name):
    unit = UNITS[name](700)
    assert text_of(translate_segments([unit], same)[0]) == text_of(unit)
    instance = translate_segments([unit], lambda texts: [text.upper() for text in texts])[0]
    raws = [part.raw for part in unit if isinstance(part, InlineTag)]
    assert [part.raw for part in instance if isinstance(part, InlineTag)] == raws
    assert "A" in text_of(instance)


def test_a_document_is_translated_in_bounded_batches():
    sizes = []

    def translate(texts):
        sizes.append(sum(map(len, texts)))
        return list(texts)

    def attention(texts, output):
        sizes.append(sum(map(len, texts)) + sum(map(len, output)))
        return [[] for _ in texts]

    units = [[f"Sentence number {i} is about ", InlineTag("open", "<b>"), "a dog"] for i in range(5000)]
    translate_segments(units, TranslateWithAttention(translate, attention))
    assert max(sizes) <= 20_000 and len(sizes) > 5


def test_sentences_of_a_paragraph_are_translated_together():
    batches = []

    def translate(texts):
        batches.append(texts)
        return list(texts)

    translate_segments([["A dog runs. A cat sleeps. A bird sings."]], translate)
    assert batches == [["A dog runs.", "A cat sleeps.", "A bird sings."]]


@settings(max_examples=example_count(200), deadline=None)
@given(
    st.text("ab ", max_size=30),
    st.text("ab ", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=6),
    st.integers(0, 20),
)
def test_places_are_in_order_and_cut_nothing_that_is_preserved(source, target, sample, start):
    stops = [TagSlot((min(at, len(source)),) * 2, splits=splits) for at, splits in sorted(sample)]
    blocked = [(start, start + 3)] if start + 3 <= len(target) else []
    spans = place_tags(source, target, stops, blocked)
    if spans is None:
        return
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges) and len(spans) == len(stops)
    assert all(not a < edge < b for edge in edges for a, b in blocked)
    assert all(target[a:b] in ("", " ") for a, b in spans)
