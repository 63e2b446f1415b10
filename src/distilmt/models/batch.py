"""A batch of sentence pairs, and what a forward pass over it can record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from distilmt.models.frames import FRAMES_PER_POSITION, Frames, Transcript
from distilmt.models.packing import BlockShape, PackedTokens, Packing, fill_bins

KINDS = ("encoder", "decoder", "cross")
"""Kinds of attention: self-attention of encoder and decoder, and cross-attention (`cross`)."""


@dataclass
class Batch:
    """Sentences of a batch, each with `</s>` at its end."""

    source: PackedTokens
    target: PackedTokens
    decoder_input: Tensor
    """[N]: each target sentence shifted right by one, with `<pad>` first."""
    blocks: list[BlockShape]
    """Rows and width of each attention block; source and target share them."""
    frames: Frames | None = None
    """What the sources are, where they are no tokens; `source` then has the encoder's positions, without ids."""
    transcript: Transcript | None = None
    """The characters in the pictures, in training."""

    @cached_property
    def source_packing(self) -> Packing:
        """Layout of the source tokens; all forward passes over this batch share its indices."""
        return Packing(self.source, self.blocks)

    @cached_property
    def target_packing(self) -> Packing:
        """Layout of the target tokens."""
        return Packing(self.target, self.blocks)

    @cached_property
    def prompted_packing(self) -> Packing:
        """Layout of the targets of frames: the target tokens and, behind them, a first token of each sentence."""
        assert self.frames is not None
        target, prompts = self.target, self.frames.prompt_cells
        firsts = torch.zeros_like(prompts)  # [B]
        tokens = PackedTokens(
            ids=torch.cat([target.ids, firsts]),
            positions=torch.cat([target.positions + 1, firsts]),
            sentences=torch.cat([target.sentences, torch.arange(len(prompts), device=prompts.device)]),
            cells=torch.cat([target.cells, prompts]),
        )
        return Packing(tokens, self.blocks)

    def to(self, device: torch.device) -> Batch:
        """This batch on `device`."""
        if device == self.decoder_input.device:
            return self
        shifted = self.decoder_input.to(device, non_blocking=True)
        frames = None if self.frames is None else self.frames.to(device)
        transcript = None if self.transcript is None else self.transcript.to(device)
        return Batch(self.source.to(device), self.target.to(device), shifted, self.blocks, frames, transcript)


@dataclass
class Attention:
    """Attention of one kind: encoder self-attention, decoder self-attention or cross-attention."""

    biases: list[Tensor]
    """Mask that separates sentences: for every block [rows, 1, width, width]."""
    scores: list[list[Tensor]] = field(default_factory=list)
    """For every layer and block [rows, heads, width, width]: scores before the bias is added and before the softmax."""


@dataclass
class States:
    """Hidden states and attention scores that a forward pass records."""

    encoder: list[Tensor] = field(default_factory=list)
    """[source tokens, d] after every layer."""
    decoder: list[Tensor] = field(default_factory=list)
    """[N, d] after every layer."""
    attention: dict[str, Attention] | None = None
    """By kind, one of `KINDS`. None: attention is not recorded."""


def make_batch(
    source: np.ndarray, source_lengths: np.ndarray, target: np.ndarray, target_lengths: np.ndarray, start: int
) -> Batch:
    """A batch from concatenated sequences.

    Args:
        source: [source tokens] int64.
        source_lengths: [b].
        target: [N] int64.
        target_lengths: [b].
        start: the decoder's start id, `<pad>`.
    """
    bins = fill_bins(source_lengths, target_lengths)
    target_tokens = PackedTokens.of(target, target_lengths, bins.target)
    source_tokens = PackedTokens.of(source, source_lengths, bins.source)
    return Batch(source_tokens, target_tokens, _shifted(target_tokens, start), bins.blocks)


def _shifted(target: PackedTokens, start: int) -> Tensor:
    """Each target sentence shifted right by one, with the start id first: [N]."""
    shifted = torch.full_like(target.ids, start)
    shifted[1:] = target.ids[:-1]
    shifted[target.positions == 0] = start
    return shifted


def make_frame_batch(
    sources: Sequence[np.ndarray], target: np.ndarray, target_lengths: np.ndarray, start: int
) -> Batch:
    """A batch from frames and concatenated target sequences.

    Its `source` has the positions of the encoder: half as many as frames, without ids.

    Args:
        sources: [frames, frame size] float32 each, at least one frame.
        target: [N] int64.
        target_lengths: [b].
        start: the decoder's start id, `<pad>`.
    """
    positions = np.array([-(-len(frames) // FRAMES_PER_POSITION) for frames in sources])
    bins = fill_bins(positions, target_lengths + 1)  # the decoder reads a token more
    target_tokens = PackedTokens.of(target, target_lengths, bins.target + 1)
    source_tokens = PackedTokens.of(np.zeros(positions.sum(), np.int64), positions, bins.source)
    frames = Frames.of(sources, bins.target)
    return Batch(source_tokens, target_tokens, _shifted(target_tokens, start), bins.blocks, frames)
