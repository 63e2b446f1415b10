"""Which cross-entropy counts as hard, from the positions trained on last."""

from __future__ import annotations

import torch
from torch import Tensor

_POSITIONS = 30_000


class HardTokenQueue:
    """First in, first out: cross-entropies of the last 30,000 positions (Wang et al. 2021, their global selection).

    It is not kept in checkpoints: a training that goes on fills it anew, and until it is full the batch alone tells.
    """

    def __init__(self, positions: int = _POSITIONS) -> None:
        self.positions = positions
        self._values = torch.empty(0)

    def add(self, nll: Tensor) -> None:
        """Take in the positions of an update, [N]."""
        self._values = torch.cat([self._values.to(nll.device), nll.float()])[-self.positions :]

    def threshold(self, share: float) -> Tensor | None:
        """The cross-entropy that `share` of the positions reach; None while there are too few."""
        return self._values.quantile(1 - share) if len(self._values) == self.positions else None
