"""Muon for the matrices of a transformer's layers (Jordan et al. 2024; scaled as in Liu et al. 2025, eq. 4).

The momentum of each matrix is replaced by the nearest semi-orthogonal matrix, so that every direction is learnt at the
same pace. At equal time a small translation teacher learns with it what Adam needs several times as long for, and
deep post-norm stacks get off the ground. Written here rather than taken from `torch.optim.Muon` (which a test holds it
equal to) because that one works matrix by matrix and always in bf16, which CPUs without bf16 only emulate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_EPSILON = 1e-7
_MOMENTUM, _FIRST_MOMENTUM, _MOMENTUM_WARMUP = 0.95, 0.85, 300


@dataclass(frozen=True)
class Stack:
    """`count` matrices of `rows` × `columns` that lie one behind the other from `begin` in a flat vector."""

    begin: int
    count: int
    rows: int
    columns: int

    @property
    def end(self) -> int:
        """Where the last matrix ends."""
        return self.begin + self.count * self.rows * self.columns

    def of(self, flat: Tensor) -> Tensor:
        """The matrices as a view, [count, rows, columns]."""
        return flat[self.begin : self.end].view(self.count, self.rows, self.columns)


@torch.no_grad()
def muon_step(
    stack: Stack, weights: Tensor, gradient: Tensor, momentum: Tensor, rate: float, update: int, dtype: torch.dtype
) -> None:
    """Update a stack's weights and momentum in place; all three are flat vectors.

    Args:
        stack: which matrices.
        weights: float32.
        gradient: float32, clipped; used up.
        momentum: float32, kept between updates.
        rate: learning rate, of the size Adam's would be (the update's root mean square is made like Adam's).
        update: number of the update, from 1; the momentum is shorter in the first 300.
        dtype: what the matrix products are computed in.
    """
    weight, slope, mean = stack.of(weights), stack.of(gradient), stack.of(momentum)
    share = min(1.0, update / _MOMENTUM_WARMUP)
    beta = _FIRST_MOMENTUM + (_MOMENTUM - _FIRST_MOMENTUM) * share
    mean.lerp_(slope, 1 - beta)
    direction = orthogonal(slope.lerp_(mean, beta).to(dtype))
    weight.sub_(direction, alpha=0.2 * rate * math.sqrt(max(stack.rows, stack.columns)))


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values come out between 0.7 and 1.2.

    A quintic Newton-Schulz iteration of matrix products alone, [n, rows, columns] at a time.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_EPSILON)
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
