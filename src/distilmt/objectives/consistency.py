"""R-Drop: two passes over a batch under different dropout masks should say the same (Liang et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from distilmt.objectives.divergences import divergence, widened

_LOGITS = 1 << 23


def consistency(first: Tensor, second: Tensor, weight: Tensor, vocabulary: int | None = None) -> Tensor:
    """½ KL(p₁ ‖ p₂) + ½ KL(p₂ ‖ p₁), summed over rows; zero where the passes agree.

    Logits are computed a chunk of rows at a time, and again for the gradients, so that they are never all held.

    Args:
        first: [N, d] the decoder's last states of one pass.
        second: [N, d] of the other one.
        weight: [V, d] the output projection.
        vocabulary: words are the first so many rows of the weight.

    Returns:
        Nats, a scalar in float32 at least.
    """
    chunk = max(1, _LOGITS // len(weight))
    total = widened(first).new_zeros(())
    for begin in range(0, len(first), chunk):
        rows = slice(begin, begin + chunk)
        total = total + checkpoint(_divergence, first[rows], second[rows], weight[:vocabulary], use_reentrant=False)
    return total


def _divergence(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    a, b = (torch.log_softmax(widened(hidden @ weight.T), -1) for hidden in (first, second))
    return (divergence("kl", a, b.exp()) + divergence("kl", b, a.exp())).sum() / 2
