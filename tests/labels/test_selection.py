"""Loops, truncations and empty translations are recognized, whatever stands around them."""

import numpy as np
import pytest
from helpers.document_models import calls

from distilmt.config import LabelConfig
from distilmt.labels.selection import (
    SentenceTexts,
    copy_mask,
    filter_hypotheses,
    lowest_score_mask,
    ter_scores,
)

CONFIG = LabelConfig(max_length_ratio=3.0, max_repetition=3)


def ragged(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return np.array([t for r in rows for t in r], dtype=np.int32), offsets


def judge(rows: list[list[int]], sources: list[int], max_length: int = 100) -> tuple[list[bool], dict[str, int]]:
    keep, dropped = filter_hypotheses(*ragged(rows), np.array(sources), CONFIG, max_length)
    return keep.tolist(), dropped


@pytest.mark.parametrize(
    ("hypothesis", "source", "reason"),
    [
        ([1, 2, 0], 3, None),
        ([0], 3, "empty"),
        ([], 3, "empty"),
        ([*range(1, 100), 0], 90, "too_long"),
        # (20 + 10) / (0 + 10) is the limit itself, (21 + 10) / (0 + 10) is over it.
        ([*range(1, 20), 0], 0, None),
        ([*range(1, 21), 0], 0, "length_ratio"),
        ([1, 0], 26, None),
        ([1, 0], 27, "length_ratio"),
        ([7, 7, 7, 0], 4, None),
        ([7, 7, 7, 7, 0], 4, "repetition"),
        ([9, *[1, 2, 3, 4, 5] * 3, 1, 2, 3, 4, 0], 20, None),
        ([9, *[1, 2, 3, 4, 5] * 4, 0], 20, "repetition"),
        ([*[1, 2, 3, 4, 5, 6] * 4, 0], 20, None),
    ],
)
def test_each_reason(hypothesis, source, reason):
    keep, dropped = judge([[3, 0], hypothesis], [2, source])
    assert keep == [True, reason is None]
    assert dropped == ({reason: 1} if reason else {})


def test_every_sentence_counts_once_under_its_first_reason():
    keep, dropped = judge([[7] * 120, [0], [1, 2, 0], [7] * 40], [2, 40, 3, 3])
    assert keep == [False, False, True, False]
    assert dropped == {"too_long": 1, "empty": 1, "length_ratio": 1}


def test_a_whole_corpus_is_filtered_without_a_loop():
    """Sixteen times as many sentences need hardly more calls."""

    def filtered(sentences):
        make = np.random.default_rng(1)
        lengths = make.integers(2, 33, sentences)
        tokens, offsets = make.integers(0, 8000, lengths.sum()), np.concatenate([[0], np.cumsum(lengths)])
        keep = []
        count = calls(lambda: keep.append(filter_hypotheses(tokens, offsets, lengths, CONFIG, 256)[0]))
        assert keep[0].mean() > 0.99
        return count

    assert filtered(16_000) < 2 * filtered(1000)


def test_copies_of_the_source():
    sources = ["the dog runs", "Mozilla Firefox", "the dog runs", "12:30", "a b", "a b"]
    references = ["der Hund rennt", "Mozilla Firefox", "der Hund rennt", "12.30", None, None]
    hypotheses = ["the dog runs", "Mozilla Firefox", "der Hund", "12:30", "a b", "c"]
    assert copy_mask(SentenceTexts(sources, references, hypotheses)).tolist() == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]


def test_distances_to_the_reference():
    references = ["der Hund rennt schnell", "der Hund rennt schnell", "我喜欢狗", None]
    texts = SentenceTexts([""] * 4, references, ["der Hund rennt schnell", "der Hund rennt", "我喜欢猫", "etwas"])
    assert ter_scores(texts).tolist() == [0, 25, 25, 0]


def test_copies_and_distant_ones_are_dropped():
    texts = SentenceTexts(["go on now"] * 4, ["geh nun weiter"] * 4, ["go on now", "geh nun weiter", "ach", "geh nun"])
    arguments = *ragged([[1, 2, 0]] * 4), np.array([3] * 4)
    for config, remaining, reasons in (
        (LabelConfig(max_ter=60), [False, True, False, True], {"copy": 1, "distant": 1}),
        (LabelConfig(drop_identical=False), [True] * 4, {}),
        (LabelConfig(), [False, True, True, True], {"copy": 1}),
    ):
        keep, dropped = filter_hypotheses(*arguments, config, 100, texts)
        assert keep.tolist() == remaining and dropped == reasons


def test_the_least_likely_are_dropped():
    scores = [-1.0, None, -3.0, -2.0, -9.0, -0.5]
    among = np.array([True, True, True, True, False, True])
    assert lowest_score_mask(scores, among, 0.5).tolist() == [False, False, True, True, False, False]
    assert not lowest_score_mask(scores, among, 1.0).any()
    texts = SentenceTexts(["go"] * 3, ["geh"] * 3, ["geh", "go", "los"], [-2.0, -1.0, -3.0])
    arguments = *ragged([[1, 2, 0]] * 3), np.array([3] * 3)
    keep, dropped = filter_hypotheses(*arguments, LabelConfig(backward_keep_fraction=0.5), 100, texts)
    # The copy is dropped first: half of the two that are left is one.
    assert keep.tolist() == [True, False, False] and dropped == {"copy": 1, "reverse": 1}
