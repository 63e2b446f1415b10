"""Filter the teacher's hypotheses: repetitive, truncated, copied and empty ones are dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics.ter import TER

from distilmt.config import LabelConfig
from distilmt.utils import progress
from distilmt.utils.repetition import repetition_mask

LONGEST_PHRASE = 5
"""Tokens of a phrase whose repetition makes a hypothesis unusable."""


@dataclass
class SentenceTexts:
    """Texts of the sequences to filter, one of each per row."""

    sources: Sequence[str]
    references: Sequence[str | None]
    hypotheses: Sequence[str]
    reverse: Sequence[float | None] | None = None
    """Backward score of each hypothesis, if there is a backward model."""


def filter_hypotheses(
    tokens: np.ndarray,
    offsets: np.ndarray,
    source_lengths: np.ndarray,
    config: LabelConfig,
    max_length: int,
    texts: SentenceTexts | None = None,
) -> tuple[np.ndarray, dict[str, int]]:
    """Decide which hypotheses are usable.

    Args:
        tokens: concatenated ids of all hypotheses, with `</s>`.
        offsets: start of each hypothesis, [n + 1].
        source_lengths: tokens of the sources, [n].
        config: limits.
        max_length: maximum positions of the model.
        texts: the same as text; without it, copies and distant hypotheses are not detected.

    Returns:
        [n] bool, True for usable ones, and the number of dropped ones by reason.
    """
    lengths = np.diff(offsets)
    masks = _length_masks(lengths, source_lengths, config, max_length)
    masks["repetition"] = repetition_mask(tokens, offsets, LONGEST_PHRASE, config.max_repetition)
    if texts and config.drop_identical:
        masks["copy"] = copy_mask(texts)
    if texts and config.max_ter is not None:
        masks["distant"] = ter_scores(texts) > config.max_ter
    dropped: Counter[str] = Counter()
    keep = np.ones(len(lengths), dtype=bool)
    for reason, bad in masks.items():
        dropped[reason] = int((bad & keep).sum())
        keep &= ~bad
    if texts and texts.reverse is not None:
        bad = lowest_score_mask(texts.reverse, keep, config.backward_keep_fraction)
        dropped["reverse"] = int(bad.sum())
        keep &= ~bad
    return keep, {reason: count for reason, count in dropped.items() if count}


def _length_masks(
    lengths: np.ndarray, source_lengths: np.ndarray, config: LabelConfig, max_length: int
) -> dict[str, np.ndarray]:
    """Hypotheses of unusable length by reason, [n] bool each; lengths are [n] tokens."""
    ratio = np.maximum((lengths + 10) / (source_lengths + 10), (source_lengths + 10) / (lengths + 10))
    return {
        "empty": lengths <= 1,
        "too_long": lengths >= max_length,
        "length_ratio": ratio > config.max_length_ratio,
    }


def lowest_score_mask(scores: Sequence[float | None], among: np.ndarray, share: float) -> np.ndarray:
    """All but the best `share` of the rows in `among` that have a score, [n] bool."""
    values = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
    rows = np.flatnonzero(among & ~np.isnan(values))
    bad = np.zeros(len(values), dtype=bool)
    order = rows[np.argsort(values[rows], kind="stable")]
    bad[order[: len(rows) - round(share * len(rows))]] = True
    return bad


def copy_mask(texts: SentenceTexts) -> np.ndarray:
    """Which hypotheses are copies of a source with letters, although the reference (if any) is not: [n] bool.

    Untranslated sentences are the most harmful noise for neural translation (Khayrallah & Koehn 2018).
    """
    rows = zip(texts.sources, texts.references, texts.hypotheses, strict=True)
    is_copy = [
        hypothesis.strip() == source.strip() != (reference or "").strip() and any(map(str.isalpha, source))
        for source, reference, hypothesis in rows
    ]
    return np.array(is_copy, dtype=bool)


def ter_scores(texts: SentenceTexts) -> np.ndarray:
    """Translation edit rate of each hypothesis against its reference, in percent, [n]; 0 without a reference."""
    metric = TER(normalized=True, asian_support=True, case_sensitive=True)
    scores = np.zeros(len(texts.hypotheses))
    with progress.task("computing TER", len(scores), "sentences") as bar:
        for row, (reference, hypothesis) in enumerate(zip(texts.references, texts.hypotheses, strict=True)):
            if reference:
                scores[row] = metric.sentence_score(hypothesis, [reference]).score
            bar.advance(1)
    return scores
