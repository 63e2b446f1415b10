"""All forms of the search for repetitions have one definition: phrases that stand several times in a row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distilmt.utils.repetition import longest_repetition, repeated_phrases, repetition_mask

MAX_PHRASE = 5


def most_repeated(tokens: list[str]) -> int:
    """The definition: how often in a row some phrase of 1 to 5 tokens occurs."""
    most = 1 if tokens else 0
    for start in range(len(tokens)):
        for length in range(1, min(MAX_PHRASE, len(tokens) - start) + 1):
            phrase, times = tokens[start : start + length], 1
            while tokens[start + times * length : start + (times + 1) * length] == phrase:
                times += 1
            most = max(most, times)
    return most


def ragged(rows: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows)])
    return np.array([ord(token) for row in rows for token in row], dtype=np.int64), offsets


ROWS = st.lists(st.lists(st.sampled_from("ab"), max_size=24), min_size=1, max_size=6)


@given(ROWS, st.integers(1, 4))
def test_all_forms_agree_with_the_definition(rows, max_repetition):
    expected = [most_repeated(row) > max_repetition for row in rows]
    assert [longest_repetition(row, MAX_PHRASE) for row in rows] == [most_repeated(row) for row in rows]
    assert [any(repeated_phrases(row, MAX_PHRASE, max_repetition)) for row in rows] == expected
    assert repetition_mask(*ragged(rows), MAX_PHRASE, max_repetition).tolist() == expected


def test_a_repetition_does_not_cross_the_end_of_a_sequence():
    assert not repetition_mask(*ragged([["a", "a"], ["a", "a"], ["a", "a"]]), MAX_PHRASE, 3).any()


def test_the_repeated_phrases_are_returned():
    assert list(repeated_phrases(["ha", "ha", "ha"], 2, 2)) == [["ha"]]
    assert list(repeated_phrases(["one", "two", "one", "two"], 2, 1)) == [["one", "two"]]
