"""Sources that are frames instead of tokens: pictures of text, or sound."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FRAMES_PER_POSITION = 2
"""Frames that become one position of an encoder: the stride of its second convolution."""


@dataclass
class Frames:
    """The frames of a batch."""

    values: Tensor
    """[B, frames, frame size], zeros after the end of each source."""
    lengths: Tensor
    """[B]: frames of each source."""

    def mask(self) -> Tensor:
        """Which frames belong to a source: [B, 1, frames] bool."""
        return (torch.arange(self.values.shape[1], device=self.lengths.device) < self.lengths[:, None])[:, None]

    def to(self, device: torch.device) -> Frames:
        """These frames on `device`."""
        return Frames(self.values.to(device, non_blocking=True), self.lengths.to(device, non_blocking=True))
