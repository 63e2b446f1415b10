"""Labels as a student is trained on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distilmt.config import LabelConfig
from distilmt.labels.arrays import LabelArrays
from distilmt.labels.selection import Texts, usable
from distilmt.labels.store import LabelStore
from distilmt.tokenizer import Tokenizer
from distilmt.training.batching import Ragged, Side


@dataclass
class Labelled:
    """Sources of a store, tokenised, with their hypotheses and references."""

    source: Ragged
    hypothesis: Side
    reference: Side
    dropped: dict[str, int]


def labelled(store: LabelStore, tokenizer: Tokenizer, config: LabelConfig, max_length: int) -> Labelled:
    """Read a store; hypotheses that loop, are cut off, copies, empty or far off are marked as not usable.

    Args:
        store: the labels.
        tokenizer: the tokenizer they were made with.
        config: limits of what is usable.
        max_length: positions of the model to be trained.
    """
    sources = store.column("source")
    source, hypothesis = Ragged.of(tokenizer.source.encode(sources)), store.arrays("hypothesis")
    reverse = store.column("reverse") if config.reverse else None
    texts = Texts(sources, store.column("reference"), store.hypotheses(), reverse)
    keep, dropped = usable(hypothesis.tokens, hypothesis.offsets, source.lengths, config, max_length, texts)
    # Where no translations were asked for, none is missing.
    return Labelled(source, _side(hypothesis, keep), _reference(store, tokenizer), dropped if config.hypotheses else {})


def _reference(store: LabelStore, tokenizer: Tokenizer) -> Side:
    """References with the teacher's words, or without them where it was not asked."""
    arrays = store.arrays("reference")
    if len(arrays.tokens):
        return _side(arrays, np.diff(arrays.offsets) > 1)
    texts = store.column("reference")
    encoded = Ragged.of(tokenizer.target.encode([text or "" for text in texts]))
    return Side(encoded, np.fromiter((bool(text) for text in texts), bool, len(texts)))


def _side(arrays: LabelArrays, keep: np.ndarray) -> Side:
    return Side(Ragged(arrays.tokens, arrays.offsets), keep, arrays.top_ids, arrays.top_logprobs)
