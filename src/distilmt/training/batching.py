"""Sentences as flat arrays, and batches of about equal numbers of tokens with little padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distilmt.objectives.loss import Targets
from distilmt.training.forward import Batch

_POOL_BATCHES = 64
_MULTIPLE = 4


@dataclass
class Ragged:
    """Sequences of ids laid end to end: sequence i is `flat[offsets[i]:offsets[i + 1]]`."""

    flat: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Ragged:
        """Lay sequences end to end."""
        lengths = np.fromiter((len(s) for s in sequences), dtype=np.int64, count=len(sequences))
        flat = np.fromiter((i for s in sequences for i in s), dtype=np.int32, count=int(lengths.sum()))
        return cls(flat, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def lengths(self) -> np.ndarray:
        """Length of every sequence, [n]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Indices into `flat` of the sequences named, one after the other."""
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        return np.arange(int(ends[-1])) + np.repeat(self.offsets[rows] - (ends - lengths), lengths)


@dataclass
class Side:
    """One kind of target for every source sentence: references, or a teacher's hypotheses."""

    tokens: Ragged
    usable: np.ndarray
    """[n] bool: sentences whose target may be trained on."""
    top_ids: np.ndarray | None = None
    """[positions, k]: the teacher's k likeliest words at every position of `tokens.flat`."""
    top_logprobs: np.ndarray | None = None
    """[positions, k] float16."""


@dataclass
class TrainingSet:
    """Source sentences with references, hypotheses, or both to learn from."""

    source: Ragged
    reference: Side | None
    hypothesis: Side | None
    source_pad: int
    target_pad: int
    reference_share: float = 0.5
    max_length: int = 256

    def choose(self, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw this epoch's targets.

        Returns:
            Indices [m] of the sentences to be trained on, and for each whether its reference is the target.
        """
        n = len(self.source)
        reference, hypothesis = self._usable(self.reference), self._usable(self.hypothesis)
        wants = np.random.default_rng((seed, epoch, 1)).random(n) < self.reference_share
        use_reference = np.where(wants, reference, reference & ~hypothesis)
        rows = np.flatnonzero((reference | hypothesis) & (self.source.lengths <= self.max_length))
        return rows, use_reference[rows]

    def _usable(self, side: Side | None) -> np.ndarray:
        if side is None:
            return np.zeros(len(self.source), dtype=bool)
        return side.usable & (side.tokens.lengths <= self.max_length)

    def lengths(self, rows: np.ndarray, use_reference: np.ndarray) -> np.ndarray:
        """Target lengths of the sentences chosen, [m]."""
        found = np.zeros(len(rows), dtype=np.int64)
        for side, chosen in ((self.reference, use_reference), (self.hypothesis, ~use_reference)):
            if side is not None:
                found[chosen] = side.tokens.lengths[rows[chosen]]
        return found


def epoch_batches(data: TrainingSet, batch_tokens: int, seed: int, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Group an epoch's sentences into batches of similar lengths, in random order, the same for the same seed.

    Args:
        data: the sentences.
        batch_tokens: most tokens of a batch on its longer side, padding included.
        seed: the run's seed.
        epoch: number of the pass over the data.

    Returns:
        For every batch the rows and whether each takes its reference.
    """
    rows, use_reference = data.choose(seed, epoch)
    rng = np.random.default_rng((seed, epoch, 2))
    order = rng.permutation(len(rows))
    rows, use_reference = rows[order], use_reference[order]
    target, source = data.lengths(rows, use_reference), data.source.lengths[rows]
    pool = max(1, _POOL_BATCHES * batch_tokens // max(1, int(target.mean()) if len(target) else 1))
    batches = []
    for begin in range(0, len(rows), pool):
        part = np.arange(begin, min(begin + pool, len(rows)))
        widths = np.maximum(target[part], source[part])
        order = np.lexsort((source[part], widths))
        batches += cut(part[order], widths[order], batch_tokens)
    return [(rows[b], use_reference[b]) for b in (batches[i] for i in rng.permutation(len(batches)))]


def cut(rows: np.ndarray, widths: np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    """Cut rows, sorted by their widths, into batches of at most `batch_tokens`, padding included.

    Few shapes come out, each many times: kernels for matrix products are made for a shape when it is first met, which
    takes longer than the product. So widths count as the next multiple of 4, as `make_batch` pads them, and
    sentences are taken from the longest down, so that a width always has the same number of them.
    """
    batches, end = [], len(rows)
    while end > 0:
        begin = max(0, end - max(1, batch_tokens // _rounded(int(widths[end - 1]))))
        batches.append(rows[begin:end])
        end = begin
    return batches


def _rounded(width: int) -> int:
    return -(-width // _MULTIPLE) * _MULTIPLE


def collate(data: TrainingSet, rows: np.ndarray, use_reference: np.ndarray) -> tuple[Batch, Targets]:
    """Tensors of a batch: references first, then hypotheses."""
    order = np.argsort(~use_reference, kind="stable")
    rows, use_reference = rows[order], use_reference[order]
    parts = [
        (side, rows[chosen])
        for side, chosen in ((data.reference, use_reference), (data.hypothesis, ~use_reference))
        if side is not None and chosen.any()
    ]
    flat = np.concatenate([side.tokens.flat[side.tokens.positions(r)] for side, r in parts]).astype(np.int64)
    lengths = np.concatenate([side.tokens.lengths[r] for side, r in parts])
    k = max((0 if s is None or s.top_ids is None else s.top_ids.shape[1]) for s in (data.reference, data.hypothesis))
    top = [_top(side, r, k) for side, r in parts] if k else []
    targets = Targets(
        torch.from_numpy(flat),
        torch.from_numpy(np.concatenate([ids for ids, _ in top])) if k else None,
        torch.from_numpy(np.concatenate([values for _, values in top])) if k else None,
    )
    source = data.source.flat[data.source.positions(rows)].astype(np.int64)
    pads, longest = (data.source_pad, data.target_pad), data.max_length
    return make_batch(source, data.source.lengths[rows], flat, lengths, *pads, longest), targets


def _top(side: Side, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Top-k ids and log-probabilities of some rows; where the teacher was not asked, all mass is on the word itself."""
    positions = side.tokens.positions(rows)
    if side.top_ids is not None and side.top_logprobs is not None:
        return side.top_ids[positions].astype(np.int64), side.top_logprobs[positions].astype(np.float32)
    ids = side.tokens.flat[positions].astype(np.int64)[:, None]
    # Distinct ids of the vocabulary are needed, whatever they are: their probability is zero.
    others = (ids + np.arange(k)) % max(k, int(side.tokens.flat.max()) + 1)
    values = np.full(others.shape, -np.inf, dtype=np.float32)
    values[:, 0] = 0
    return others, values


def make_batch(
    source: np.ndarray,
    source_lengths: np.ndarray,
    target: np.ndarray,
    target_lengths: np.ndarray,
    source_pad: int,
    target_pad: int,
    longest: int = 0,
) -> Batch:
    """Pad flat sequences; `keep` lists the target's real positions in the order of `target`.

    If `longest`, the model's positions, is given, both sides are padded on to the next multiple of 4 within it.
    """
    padded_source, source_mask = _pad(source, source_lengths, source_pad, longest)
    padded_target, target_mask = _pad(target, target_lengths, target_pad, longest)
    shifted = torch.full_like(padded_target, target_pad)
    shifted[:, 1:] = padded_target[:, :-1]
    keeps = [mask.flatten().nonzero().flatten() for mask in (source_mask, target_mask)]
    return Batch(padded_source, source_mask, keeps[0], shifted, padded_target, keeps[1])


def _pad(flat: np.ndarray, lengths: np.ndarray, pad: int, longest: int) -> tuple[Tensor, Tensor]:
    width = int(lengths.max())
    mask = torch.from_numpy(np.arange(max(width, min(_rounded(width), longest))) < lengths[:, None])
    padded = torch.full(mask.shape, pad, dtype=torch.int64)
    padded[mask] = torch.from_numpy(flat)
    return padded, mask
