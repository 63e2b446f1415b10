"""Sentences that are added to a training set: copied items, two sentences in a line, repeated short ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from distilmt.config.augmentation import AugmentationConfig
from distilmt.data.cleaning import unspaced_count, word_counts
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.training.batching import Ragged, TargetSide, TrainingSet
from distilmt.training.copied_items import copied_items
from distilmt.training.source_noise import END_MARKS
from distilmt.utils.seeds import SeedStream

_SHORT_WORDS = 3
_MOST_COPIES = 9
"""Additional copies of a short sentence."""
_VOCABULARY_SENTENCES = 2000


@dataclass(frozen=True)
class AdditionalSentence:
    """A sentence that is made of others."""

    rows: tuple[int, ...]
    """The sentences whose targets it has, one behind the other."""
    item: str = ""
    """Text that it has besides."""
    form: int = 0
    """Place of the item: number of a row of `_FORMS`."""


class ExtendedSet(NamedTuple):
    """A training set with additional sentences."""

    data: TrainingSet
    texts: list[str]
    """The texts of all sources."""
    copies: int
    """Number of sentences with a copied item; they are the last ones."""


_FORMS: tuple[Callable[[str, str, str, str], str], ...] = (
    lambda stem, mark, item, space: f"{item}{space}{stem}{mark}",
    lambda stem, mark, item, space: f"{stem}{mark}{space}{item}",
    lambda stem, mark, item, space: f"{stem}{space}{item}{mark}",
    lambda stem, mark, item, space: f"{stem}: {item}",
    lambda stem, mark, item, space: f"{stem}{space}({item}){mark}",
)
"""Sentences with an item: in front, behind, or before the punctuation at the end."""


def with_additional_sentences(
    data: TrainingSet, texts: Sequence[str], tokenizer: Tokenizer, config: AugmentationConfig, seed: int
) -> ExtendedSet:
    """A training set [n + m] with m more sentences behind its own.

    Teacher's distributions stay at all positions whose tokens are the label's; at the other ones, such as those of a
    copied item, all probability is on the token.

    Args:
        data: the set [n].
        texts: [n] its sources.
        tokenizer: its vocabularies.
        config: which sentences, and how many.
        seed: the run's seed.
    """
    generator = random.Random(f"{seed} {SeedStream.ADDITIONAL_SENTENCES}")
    usable = _usable_rows(data)
    if not usable:
        return ExtendedSet(data, list(texts), 0)
    words = [w for text in texts[:_VOCABULARY_SENTENCES] for w in text.split() if w.isalpha() and len(w) > 2]
    added = [
        *_repeated(usable, texts, config.short_sentences, len(texts)),
        *(AdditionalSentence(tuple(generator.choices(usable, k=2))) for _ in range(round(config.joined * len(texts)))),
        *_with_items(usable, words, tokenizer, round(config.copies * len(texts)), generator),
    ]
    new_texts = [_source_text(sentence, texts) for sentence in added]
    source = Ragged.of(tokenizer.source.encode(new_texts)) if added else Ragged.of([])
    extended = replace(
        data,
        source=_concatenated(data.source, source),
        reference=_extended_side(data.reference, added, tokenizer),
        hypothesis=_extended_side(data.hypothesis, added, tokenizer),
    )
    return ExtendedSet(extended, [*texts, *new_texts], sum(bool(sentence.item) for sentence in added))


def _usable_rows(data: TrainingSet) -> list[int]:
    sides = [side.usable & (side.tokens.lengths > 1) for side in (data.reference, data.hypothesis) if side is not None]
    return np.flatnonzero(np.logical_or.reduce(sides) & (data.source.lengths > 1)).tolist() if sides else []


def _repeated(usable: Sequence[int], texts: Sequence[str], fraction: float, total: int) -> list[AdditionalSentence]:
    """Copies of the short sentences until they make the fraction, each at most ten times in all."""
    short = [row for row in usable if fraction and max(word_counts(texts[row])) <= _SHORT_WORDS]
    missing = round((fraction * total - len(short)) / (1 - fraction))
    count = min(max(0, missing), _MOST_COPIES * len(short))
    return [AdditionalSentence((short[number % len(short)],)) for number in range(count)]


def _with_items(
    usable: Sequence[int], words: Sequence[str], tokenizer: Tokenizer, count: int, generator: random.Random
) -> list[AdditionalSentence]:
    items = copied_items(words, tokenizer, count, generator)
    return [AdditionalSentence((generator.choice(usable),), item, generator.randrange(len(_FORMS))) for item in items]


def _source_text(sentence: AdditionalSentence, texts: Sequence[str]) -> str:
    text = texts[sentence.rows[0]].strip()
    for row in sentence.rows[1:]:
        text += _space(text) + texts[row].strip()
    return with_item(text, sentence.item, sentence.form) if sentence.item else text


def with_item(text: str, item: str, form: int) -> str:
    """A sentence with an item, at the place that `form` (below 5) says."""
    stem = text.rstrip(END_MARKS + " ")
    mark = text[len(stem) :].strip()
    return _FORMS[form](stem, mark, item, _space(stem))


def _space(text: str) -> str:
    """What separates a text from the next: nothing in scripts without spaces."""
    return "" if unspaced_count(text.rstrip(END_MARKS)[-1:]) else " "


def _extended_side(
    side: TargetSide | None, added: Sequence[AdditionalSentence], tokenizer: Tokenizer
) -> TargetSide | None:
    """Targets of all sentences, the added ones last."""
    if side is None or not added:
        return side
    positions, tokens = _label_positions(side, added, tokenizer)
    rows = [np.array(sentence.rows) for sentence in added]
    complete = side.usable & (side.tokens.lengths > 1)
    usable = np.array([complete[each].all() for each in rows])
    result = TargetSide(_concatenated(side.tokens, tokens), np.concatenate([side.usable, usable]))
    if side.top_ids is not None and side.top_logprobs is not None:
        ids, logprobs = _distributions(side.top_ids, side.top_logprobs, positions, tokens.flat)
        result.top_ids = np.concatenate([side.top_ids, ids])
        result.top_logprobs = np.concatenate([side.top_logprobs, logprobs])
    return result


def _label_positions(
    side: TargetSide, added: Sequence[AdditionalSentence], tokenizer: Tokenizer
) -> tuple[np.ndarray, Ragged]:
    """Target tokens of the added sentences [m], and for each token its position in the labels: -1 if it has none."""
    with_items = [number for number, sentence in enumerate(added) if sentence.item]
    labels = tokenizer.target.decode([_tokens(side, added[number].rows[0]) for number in with_items])
    texts = [
        with_item(label.strip(), added[n].item, added[n].form) for n, label in zip(with_items, labels, strict=True)
    ]
    encoded = dict(zip(with_items, tokenizer.target.encode(texts), strict=True))
    positions, sequences = [], []
    for number, sentence in enumerate(added):
        own = _positions(side, sentence.rows)
        sequence = encoded.get(number, side.tokens.flat[own].tolist())
        positions.append(_aligned(own, side.tokens.flat[own], sequence) if sentence.item else own)
        sequences.append(sequence)
    return np.concatenate(positions), Ragged.of(sequences)


def _tokens(side: TargetSide, row: int) -> list[int]:
    return side.tokens.flat[side.tokens.offsets[row] : side.tokens.offsets[row + 1]].tolist()


def _positions(side: TargetSide, rows: Sequence[int]) -> np.ndarray:
    """Positions of the targets of sentences, one behind the other: only the last one has its end token."""
    parts = [np.arange(side.tokens.offsets[row], side.tokens.offsets[row + 1]) for row in rows]
    inner = [part[:-1] if len(part) and side.tokens.flat[part[-1]] == EOS else part for part in parts[:-1]]
    return np.concatenate([*inner, parts[-1]])


def _aligned(own: np.ndarray, label: np.ndarray, sequence: Sequence[int]) -> np.ndarray:
    """Positions of a label's tokens in a sequence that has more: of its first and last equal tokens, -1 for others."""
    result, other = np.full(len(sequence), -1, dtype=np.int64), np.array(sequence, dtype=label.dtype)
    head = _equal_tokens(label, other)
    result[:head] = own[:head]
    tail = _equal_tokens(label[head:][::-1], other[head:][::-1])
    result[len(other) - tail :] = own[len(own) - tail :]
    return result


def _equal_tokens(a: np.ndarray, b: np.ndarray) -> int:
    """The number of tokens at the start in which two sequences agree."""
    shorter = min(len(a), len(b))
    different = a[:shorter] != b[:shorter]
    return int(np.argmax(different)) if different.any() else shorter


def _distributions(
    top_ids: np.ndarray, top_logprobs: np.ndarray, positions: np.ndarray, tokens: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's top-k of every token, [tokens, k]; all probability is on the tokens at position -1."""
    ids, logprobs = top_ids[positions], top_logprobs[positions]
    alone = positions < 0
    k, certain = ids.shape[1], tokens[alone]
    # Any distinct ids below the number of tokens will do for the others: their probability is zero.
    vocabulary = max(k, int(tokens.max(initial=0)) + 1)
    ids[alone] = (certain[:, None] + np.arange(k)) % vocabulary
    logprobs[alone] = -np.inf
    logprobs[alone, 0] = 0
    return ids, logprobs


def _concatenated(first: Ragged, second: Ragged) -> Ragged:
    return Ragged(
        np.concatenate([first.flat, second.flat.astype(first.flat.dtype)]),
        np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]),
    )
