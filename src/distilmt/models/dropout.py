"""Dropout from a pool of random masks."""

from __future__ import annotations

import torch
from torch import Tensor

_POOL_UPDATES = 25
"""A new pool costs as many random numbers as two masks of the largest tensor: over 25 updates, hardly anything. Windows
at random offsets keep the masks of these updates apart."""


class DropoutPool:
    """Dropout whose masks are windows into a pool of random masks. The pool is replaced every 25 updates.

    One random number per element takes a fifth of a CPU training step; a window at a random offset costs nothing.
    Pool and offsets depend only on seed and update, so that a resumed training uses the same masks.
    """

    def __init__(self, p: float, size: int, dtype: torch.dtype, device: torch.device) -> None:
        """Configure the pool; `size` is the usual number of elements of the largest tensor that gets dropout."""
        self.p, self.dtype, self.device = p, dtype, device
        self._size, self._block, self._seed = max(1 << 21, 2 * size), -1, 0
        self._pool = torch.empty(0)
        self._offsets = torch.Generator()

    def begin(self, seed: int, update: int) -> None:
        """Seed the offsets for an update, and replace the pool if it is due."""
        if self.p == 0:
            return
        self._offsets.manual_seed(hash((seed, update)) & 0x7FFFFFFF)
        block = update // _POOL_UPDATES
        if (self._block, self._seed) != (block, seed):
            masks = torch.Generator(self.device).manual_seed(hash((seed, block, 1)) & 0x7FFFFFFF)
            keep_mask = torch.rand(self._size, device=self.device, generator=masks) >= self.p
            self._pool, self._block, self._seed = keep_mask.to(self.dtype).div_(1 - self.p), block, seed

    def mask(self, like: Tensor) -> Tensor | None:
        """Mask of the shape of `like` (any shape): 0 with probability p, else 1/(1-p). None without dropout."""
        if self.p == 0:
            return None
        if like.numel() > self._size:  # padding can make a batch many times as large as its tokens
            return self._fresh_mask(like)
        offset = int(torch.randint(self._size - like.numel() + 1, (), generator=self._offsets).item())
        return self._pool[offset : offset + like.numel()].view_as(like)

    def _fresh_mask(self, like: Tensor) -> Tensor:
        """A mask of its own for a tensor that is larger than the pool."""
        seed = int(torch.randint(1 << 31, (), generator=self._offsets).item())
        masks = torch.Generator(self.device).manual_seed(seed)
        keep_mask = torch.rand(like.shape, device=self.device, generator=masks) >= self.p
        return keep_mask.to(self.dtype).div_(1 - self.p)

    def __call__(self, x: Tensor) -> Tensor:
        """Zero elements of x (any shape) with probability p and scale the others by 1/(1-p)."""
        mask = self.mask(x)
        return x if mask is None else x * mask


NO_DROPOUT = DropoutPool(0.0, 0, torch.float32, torch.device("cpu"))
