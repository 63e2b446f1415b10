"""Phrases that occur several times in a row: the commonest fault of models, and of text from the web.

If a phrase of p tokens occurs r times in a row, (r - 1)·p consecutive tokens equal the token p positions before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def longest_repetition(tokens: Sequence[str], max_phrase: int) -> int:
    """How many times in a row a phrase of 1 to `max_phrase` tokens occurs at most; 0 without tokens."""
    most = 1 if tokens else 0
    for length in range(1, max_phrase + 1):
        run = 0
        for token, before in zip(tokens[length:], tokens, strict=False):
            run = run + 1 if token == before else 0
            most = max(most, run // length + 1)
    return most


def repeated_phrases(tokens: Sequence[str], max_phrase: int, max_repetition: int) -> Iterator[Sequence[str]]:
    """Phrases of 1 to `max_phrase` tokens that occur more than `max_repetition` times in a row."""
    for length in range(1, max_phrase + 1):
        run = 0
        for end in range(length, len(tokens)):
            run = run + 1 if tokens[end] == tokens[end - length] else 0
            if run >= length * max_repetition:
                yield tokens[end - length + 1 : end + 1]


def repetition_mask(tokens: np.ndarray, offsets: np.ndarray, max_phrase: int, max_repetition: int) -> np.ndarray:
    """Which sequences have a phrase that occurs more than `max_repetition` times in a row.

    Args:
        tokens: ids of all sequences, one after another, [total].
        offsets: start of every sequence in them, and the end of the last, [n + 1].
        max_phrase: tokens of the longest phrase.
        max_repetition: occurrences in a row that are still right.

    Returns:
        [n] bool.
    """
    is_repetitive = np.zeros(len(offsets) - 1, dtype=bool)
    row = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for length in range(1, max_phrase + 1):
        if len(tokens) <= length:
            break
        same = (tokens[length:] == tokens[:-length]) & (row[length:] == row[:-length])
        ends = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        starts, stops = ends[::2], ends[1::2]
        is_repetitive[row[starts[stops - starts >= max_repetition * length] + length]] = True
    return is_repetitive
