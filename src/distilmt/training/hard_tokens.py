"""Threshold of hard tokens, from the cross-entropies of the last updates."""

from __future__ import annotations

import torch
from torch import Tensor

_POSITIONS = 30_000


class HardTokenQueue:
    """FIFO queue with the cross-entropies of the last 30,000 positions (Wang et al. 2021, global selection).

    Checkpoints do not contain it: a resumed training fills it again. Until it is full, the threshold is the batch's.
    """

    def __init__(self, positions: int = _POSITIONS) -> None:
        self.positions = positions
        self.values = torch.empty(0)

    def add(self, nll: Tensor) -> None:
        """Append the cross-entropies of an update, [N]."""
        self.values = torch.cat([self.values.to(nll.device), nll.float()])[-self.positions :]

    def threshold(self, share: float) -> Tensor | None:
        """The cross-entropy that a `share` of the positions exceeds, a scalar; None until the queue is full."""
        return self.values.quantile(1 - share) if len(self.values) == self.positions else None
