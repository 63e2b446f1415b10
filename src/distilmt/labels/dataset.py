"""Labels as training data for a student."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from distilmt.config import LabelConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.labels.arrays import LabelArrays
from distilmt.labels.selection import SentenceTexts, filter_hypotheses
from distilmt.labels.store import LabelStore
from distilmt.training.batching import Ragged, TargetSide
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)


@dataclass
class LabelDataset:
    """Tokenized sources of a store, with their hypotheses and references."""

    source: Ragged
    hypothesis: TargetSide
    reference: TargetSide
    dropped: dict[str, int]


def load_label_dataset(store: LabelStore, tokenizer: Tokenizer, config: LabelConfig, max_length: int) -> LabelDataset:
    """Read a store; repetitive, truncated, copied, empty or distant hypotheses are marked as unusable.

    Args:
        store: the labels.
        tokenizer: the tokenizer of the labels.
        config: limits of what is usable.
        max_length: maximum positions of the student.
    """
    sources = store.column("source")
    source, hypothesis = Ragged.of(tokenizer.source.encode(sources)), store.arrays("hypothesis")
    reverse = store.column("reverse") if config.backward_model else None
    texts = SentenceTexts(sources, store.column("reference"), store.hypotheses(), reverse)
    keep, dropped = filter_hypotheses(hypothesis.tokens, hypothesis.offsets, source.lengths, config, max_length, texts)
    # Without requested translations, none counts as dropped.
    return LabelDataset(
        source, _side(hypothesis, keep), _reference(store, tokenizer), dropped if config.num_hypotheses else {}
    )


_LOUD_SHARE, _MOST_SHARE = 0.3, 0.99


def check_dropped(labels: LabelDataset, reference_share: float) -> None:
    """Warn if many of the teacher's hypotheses are dropped.

    Args:
        labels: the labels of the store.
        reference_share: share of sentences that are trained on the reference.

    Raises:
        UserError: nearly all are dropped, although training uses them.
    """
    total, dropped = len(labels.hypothesis.usable), sum(labels.dropped.values())
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(labels.dropped.items()))
    text = f"{dropped:,} of {total:,} hypotheses of the teacher are dropped ({reasons})"
    remedy = "check its translations, or loosen labels.max_length_ratio, max_repetition, max_ter or drop_identical"
    if total and dropped > _MOST_SHARE * total and reference_share < 1:
        raise UserError(f"{text}, so the student cannot learn from it: {remedy}")
    if total and dropped > _LOUD_SHARE * total:
        logger.warning(f"{text}: {remedy}")


def _reference(store: LabelStore, tokenizer: Tokenizer) -> TargetSide:
    """References with the teacher's top-k, or without if the teacher did not score them."""
    arrays = store.arrays("reference")
    if len(arrays.tokens):
        return _side(arrays, np.diff(arrays.offsets) > 1)
    texts = store.column("reference")
    encoded = Ragged.of(tokenizer.target.encode([text or "" for text in texts]))
    return TargetSide(encoded, np.fromiter((bool(text) for text in texts), bool, len(texts)))


def _side(arrays: LabelArrays, keep: np.ndarray) -> TargetSide:
    return TargetSide(Ragged(arrays.tokens, arrays.offsets), keep, arrays.top_ids, arrays.top_logprobs)
