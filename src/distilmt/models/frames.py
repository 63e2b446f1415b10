"""Sources that are frames instead of tokens: pictures of text, or sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FRAMES_PER_POSITION = 2
"""Frames that become one position of an encoder: the stride of its second convolution."""


@dataclass
class Transcript:
    """The characters that are in the pictures of a batch."""

    characters: Tensor
    """[M]: their classes, one source after the other, from 1."""
    lengths: Tensor
    """[B]."""

    def to(self, device: torch.device) -> Transcript:
        """This transcript on `device`."""
        return Transcript(self.characters.to(device), self.lengths.to(device))


@dataclass
class Frames:
    """The frames of a batch, one source after the other, two for each position of the encoder."""

    values: Tensor
    """[2 · P, frame size]: a source with an odd number of frames has one of zeros at its end."""
    present: Tensor
    """[2 · P] bool: false for the frames that were appended."""
    prompt_cells: Tensor
    """[B]: cell of each sentence's first decoder input, which comes before those of `Batch.decoder_input`."""

    @classmethod
    def of(cls, sources: Sequence[np.ndarray], prompt_cells: np.ndarray) -> Frames:
        """Concatenate sources, [frames, frame size] float32 each."""
        even = [_even(frames) for frames in sources]
        present = [np.arange(len(whole)) < len(frames) for whole, frames in zip(even, sources, strict=True)]
        values, flags = np.concatenate(even), np.concatenate(present)
        return cls(torch.from_numpy(values), torch.from_numpy(flags), torch.from_numpy(prompt_cells))

    def to(self, device: torch.device) -> Frames:
        """These frames on `device`."""
        return Frames(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def _even(frames: np.ndarray) -> np.ndarray:
    return np.pad(frames, ((0, 1), (0, 0))) if len(frames) % FRAMES_PER_POSITION else frames
