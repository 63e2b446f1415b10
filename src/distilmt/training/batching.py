"""Sentences as flat arrays, and random batches with about equal numbers of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from distilmt.losses.distillation import TokenTargets
from distilmt.models.batch import Batch, make_batch, make_frame_batch
from distilmt.training.frame_sources import FrameSources
from distilmt.utils.seeds import SeedStream


@dataclass
class Ragged:
    """Concatenated sequences of ids: sequence i is `flat[offsets[i]:offsets[i + 1]]`."""

    flat: np.ndarray
    """[tokens] int32."""
    offsets: np.ndarray
    """[n + 1] int64."""

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Ragged:
        """Concatenate sequences."""
        lengths = np.fromiter((len(s) for s in sequences), dtype=np.int64, count=len(sequences))
        flat = np.fromiter((i for s in sequences for i in s), dtype=np.int32, count=int(lengths.sum()))
        return cls(flat, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def lengths(self) -> np.ndarray:
        """Lengths of the sequences, [n]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Indices into `flat` of all tokens of the sequences `rows` [m], concatenated: [tokens of these sequences]."""
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        return np.arange(int(ends[-1])) + np.repeat(self.offsets[rows] - (ends - lengths), lengths)


@dataclass
class TargetSide:
    """Targets of one kind for every source sentence: references, or a teacher's hypotheses."""

    tokens: Ragged
    usable: np.ndarray
    """[n] bool: sentences whose target can be used for training."""
    top_ids: np.ndarray | None = None
    """[tokens, k]: the teacher's top-k tokens at every position of `tokens.flat`."""
    top_logprobs: np.ndarray | None = None
    """[tokens, k] float16: their log-probabilities."""


@dataclass
class TrainingSet:
    """Source sentences with references, hypotheses, or both as targets."""

    source: Ragged
    reference: TargetSide | None
    hypothesis: TargetSide | None
    pad: int
    reference_share: float = 0.5
    max_length: int = 256
    frames: FrameSources | None = None
    """What the student perceives instead of the tokens of `source`: pictures or recordings of the same sentences."""

    @property
    def alphabet(self) -> str:
        """The characters of what is drawn or spoken, each once; empty without frames."""
        return "" if self.frames is None else self.frames.alphabet

    @property
    def outputs_per_position(self) -> int:
        """Characters that a position of the encoder can name under CTC."""
        return 1 if self.frames is None else self.frames.cache.renderer.outputs_per_position

    def source_lengths(self, epoch: int) -> np.ndarray:
        """Tokens of each source, or encoder positions of its frames in an epoch, [n]; 0 without frames."""
        return self.source.lengths if self.frames is None else self.frames.positions(epoch)

    def choose(self, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample this epoch's targets.

        Returns:
            Indices [m] of the training sentences, and for each [m] whether its reference is the target.
        """
        n = len(self.source)
        reference, hypothesis = self._usable(self.reference), self._usable(self.hypothesis)
        prefers_reference = np.random.default_rng((seed, epoch, SeedStream.TARGET)).random(n) < self.reference_share
        use_reference = np.where(prefers_reference, reference, reference & ~hypothesis)
        lengths = self.source_lengths(epoch)
        rows = np.flatnonzero((reference | hypothesis) & (lengths > 0) & (lengths <= self.max_length))
        return rows, use_reference[rows]

    def _usable(self, side: TargetSide | None) -> np.ndarray:
        if side is None:
            return np.zeros(len(self.source), dtype=bool)
        return side.usable & (side.tokens.lengths <= self.max_length)

    def lengths(self, rows: np.ndarray, use_reference: np.ndarray) -> np.ndarray:
        """Target lengths of the sentences `rows` [m], where `use_reference` [m] selects the target: [m]."""
        target_lengths = np.zeros(len(rows), dtype=np.int64)
        for side, chosen in ((self.reference, use_reference), (self.hypothesis, ~use_reference)):
            if side is not None:
                target_lengths[chosen] = side.tokens.lengths[rows[chosen]]
        return target_lengths


def epoch_batches(data: TrainingSet, batch_tokens: int, seed: int, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split an epoch's sentences, in random order, into batches. The same seed gives the same batches.

    Batches are random mixtures of lengths. Batches of one length need less padding, but learn measurably less per
    update (docs/explanation/performance.md).

    Args:
        data: the sentences.
        batch_tokens: maximum of a batch's source tokens, and of its target tokens.
        seed: the run's seed.
        epoch: number of the pass over the data.

    Returns:
        For every batch: the indices of its sentences [b], and for each [b] whether its reference is the target.
    """
    rows, use_reference = data.choose(seed, epoch)
    order = np.random.default_rng((seed, epoch, SeedStream.BATCH_ORDER)).permutation(len(rows))
    rows, use_reference = rows[order], use_reference[order]
    parts = token_batches(data.source_lengths(epoch)[rows], data.lengths(rows, use_reference), batch_tokens)
    return [(rows[part], use_reference[part]) for part in parts]


def token_batches(source: np.ndarray, target: np.ndarray, batch_tokens: int) -> list[slice]:
    """Split sentences of these lengths, [m] each, into consecutive batches of at most `batch_tokens` tokens per side.

    A longer sentence becomes a batch of its own.
    """
    ends = [np.cumsum(lengths) for lengths in (source, target)]
    batches, begin = [], 0
    while begin < len(source):
        before = [side[begin - 1] if begin else 0 for side in ends]
        fits = [np.searchsorted(side, b + batch_tokens, "right") for side, b in zip(ends, before, strict=True)]
        end = max(begin + 1, int(min(fits)))
        batches.append(slice(begin, end))
        begin = end
    return batches


class BatchShard(NamedTuple):
    """Position of a rank's shard in the whole batch."""

    tokens: int
    """Target tokens of the whole batch."""
    token_offset: int = 0
    """Target tokens before the shard."""
    is_valid: bool = True
    """Whether the shard counts: false for an empty shard, if there are fewer sentences than shards."""


def shard_batch(
    data: TrainingSet, rows: np.ndarray, use_reference: np.ndarray, index: int, shares: int, epoch: int = 0
) -> tuple[np.ndarray, np.ndarray, BatchShard]:
    """Shard number `index` of a batch: shards have about equal numbers of tokens and follow the order of `collate`.

    If there are fewer sentences than shards, empty shards get the first sentence and are not valid.

    Args:
        data: the sentences.
        rows: [b] indices of the batch's sentences.
        use_reference: [b] whether the target is the reference.
        index: number of the shard, from 0.
        shares: number of shards.
        epoch: number of the pass over the data.

    Returns:
        `rows` and `use_reference` of the shard, and its position in the batch.
    """
    if shares == 1:
        return rows, use_reference, BatchShard(int(data.lengths(rows, use_reference).sum()))
    order = np.argsort(~use_reference, kind="stable")
    rows, use_reference = rows[order], use_reference[order]
    targets = data.lengths(rows, use_reference)
    both = data.source_lengths(epoch)[rows] + targets
    # A sentence belongs to the shard that contains its middle.
    begin, end = np.searchsorted((np.cumsum(both) - both / 2) * shares, both.sum() * np.array([index, index + 1]))
    shard = BatchShard(int(targets.sum()), int(targets[:begin].sum()), bool(begin < end))
    selection = slice(begin, end) if shard.is_valid else slice(0, 1)
    return rows[selection], use_reference[selection], shard


def collate(
    data: TrainingSet, rows: np.ndarray, use_reference: np.ndarray, epoch: int = 0
) -> tuple[Batch, TokenTargets]:
    """Tensors of the batch of sentences `rows` [b]: first those with references, then those with hypotheses.

    Frames are those of the epoch. Targets of N target tokens: ids [N], and if there are teacher targets, top-k ids
    and log-probabilities [N, k].
    """
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
    targets = TokenTargets(
        ids=torch.from_numpy(flat),  # [N]
        top_ids=torch.from_numpy(np.concatenate([ids for ids, _ in top])) if k else None,  # [N, k]
        top_logprobs=torch.from_numpy(np.concatenate([values for _, values in top])) if k else None,  # [N, k]
    )
    if data.frames is not None:
        batch = make_frame_batch(data.frames.frames(rows, epoch), flat, lengths, data.pad)
        return replace(batch, transcript=data.frames.transcript(rows)), targets
    source = data.source.flat[data.source.positions(rows)].astype(np.int64)
    return make_batch(source, data.source.lengths[rows], flat, lengths, data.pad), targets


def _top(side: TargetSide, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Top-k ids and log-probabilities of some sentences, [tokens, k] each.

    Without teacher targets, all mass is on the label.
    """
    positions = side.tokens.positions(rows)
    if side.top_ids is not None and side.top_logprobs is not None:
        return side.top_ids[positions].astype(np.int64), side.top_logprobs[positions].astype(np.float32)
    ids = side.tokens.flat[positions].astype(np.int64)[:, None]
    # Any distinct ids below V will do: their probability is zero.
    others = (ids + np.arange(k)) % max(k, int(side.tokens.flat.max()) + 1)
    values = np.full(others.shape, -np.inf, dtype=np.float32)
    values[:, 0] = 0
    return others, values
