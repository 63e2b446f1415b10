"""Muon for the matrices of a transformer's layers (Jordan et al. 2024; scaled as in Liu et al. 2025, eq. 4).

The momentum of each matrix is replaced by the nearest semi-orthogonal matrix, so that all directions are learned at the
same rate. Small translation teachers learn several times faster than with Adam, and deep post-norm stacks start to
learn. This is not `torch.optim.Muon` (a test compares them), which works matrix by matrix and always in bf16; CPUs
without bf16 only emulate it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
"""Those of Jordan et al.: small singular values grow as fast as possible, and all end near one within five steps."""
_EPSILON = 1e-7
_MOMENTUM, _FIRST_MOMENTUM, _MOMENTUM_WARMUP = 0.95, 0.85, 300


@dataclass(frozen=True)
class Stack:
    """`count` matrices of `rows` × `columns`, contiguous from `begin` in a flat vector."""

    begin: int
    count: int
    rows: int
    columns: int

    @property
    def end(self) -> int:
        """End of the last matrix in the flat vector."""
        return self.begin + self.count * self.rows * self.columns

    def of(self, flat: Tensor) -> Tensor:
        """The matrices in a flat vector [n], as a view [count, rows, columns]."""
        return flat[self.begin : self.end].view(self.count, self.rows, self.columns)


@torch.no_grad()
def muon_step(
    stack: Stack, weights: Tensor, gradient: Tensor, momentum: Tensor, rate: float, update: int, dtype: torch.dtype
) -> None:
    """Update a stack's weights and momentum in place.

    Args:
        stack: the matrices.
        weights: [n] flat vector, float32.
        gradient: [n] float32, clipped; overwritten.
        momentum: [n] float32, the state between updates.
        rate: learning rate on Adam's scale (updates are scaled to the root mean square of Adam's).
        update: number of the update, from 1; the momentum is shorter in the first 300.
        dtype: dtype of the matrix products.
    """
    # [count, rows, columns] each
    weight, slope, mean = stack.of(weights), stack.of(gradient), stack.of(momentum)
    share = min(1.0, update / _MOMENTUM_WARMUP)
    beta = _FIRST_MOMENTUM + (_MOMENTUM - _FIRST_MOMENTUM) * share
    mean.lerp_(slope, 1 - beta)
    direction = orthogonal(slope.lerp_(mean, beta).to(dtype))
    weight.sub_(direction, alpha=0.2 * rate * math.sqrt(max(stack.rows, stack.columns)))


def orthogonal(matrices: Tensor) -> Tensor:
    """Approximate the nearest semi-orthogonal matrices of [n, rows, columns]: singular values are from 0.7 to 1.2.

    A quintic Newton-Schulz iteration, which needs only matrix products. Returns [n, rows, columns].
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_EPSILON)
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        square = x @ x.mT  # [n, m, m] with m the smaller of rows and columns
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
