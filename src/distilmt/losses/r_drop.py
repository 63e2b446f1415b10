"""R-Drop: two passes over a batch under different dropout masks should say the same (Liang et al. 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distilmt.losses.divergences import widened

_LOGITS = 1 << 18
"""Logits of a chunk on a CPU: both passes' then stay in its cache."""
_ON_GPU = 1 << 23


def consistency(first: Tensor, second: Tensor, weight: Tensor, vocabulary: int | None = None) -> Tensor:
    """½ KL(p₁ ‖ p₂) + ½ KL(p₂ ‖ p₁), summed over rows; zero where the passes agree.

    Gradients are found in the forward pass, a chunk of rows at a time, so that logits are never all held.

    Args:
        first: [N, d] the decoder's last states of one pass.
        second: [N, d] of the other one.
        weight: [V, d] the output projection.
        vocabulary: words are the first so many rows of the weight.

    Returns:
        Nats, a scalar in float32 at least. Only first derivatives.
    """
    return _Consistency.apply(first, second, weight, vocabulary)  # type: ignore[no-any-return]


class _Consistency(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, weight: Tensor, vocabulary: int | None) -> Tensor:
        words, total = weight[:vocabulary], widened(first).new_zeros(())
        of_hidden = torch.empty_like(first), torch.empty_like(second)
        of_weight = torch.zeros_like(weight, dtype=total.dtype)
        chunk = max(1, (_LOGITS if first.device.type == "cpu" else _ON_GPU) // len(weight))
        for begin in range(0, len(first), chunk):
            rows = slice(begin, begin + chunk)
            loss, *of_logits = _divergence(first[rows], second[rows], words)
            total += loss
            for hidden, gradient, found in zip((first, second), of_hidden, of_logits, strict=True):
                narrow = found.to(hidden.dtype)
                torch.mm(narrow, words, out=gradient[rows])
                of_weight[:vocabulary] += narrow.T @ hidden[rows]
        ctx.save_for_backward(*of_hidden, of_weight.to(weight.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        return *(gradient * scale for gradient in ctx.saved_tensors), None


def _divergence(first: Tensor, second: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The sum over some rows, and its gradients in the logits of both passes.

    With a = log p and b = log q of a row and D = KL(p ‖ q), what comes back through the softmax to p's logits is
    ½ [p (a − b + 1 − D) − q].
    """
    a, b = (torch.log_softmax(widened(hidden @ words.T), -1) for hidden in (first, second))
    p, q = a.exp(), b.exp()
    gap = a.sub_(b)
    ours = (p * gap).sum(-1, keepdim=True)
    theirs = -(q * gap).sum(-1, keepdim=True)
    of_first = torch.addcmul(-q, p, gap + (1 - ours)).div_(2)
    of_second = torch.addcmul(-p, q, (1 - theirs) - gap).div_(2)
    return (ours + theirs).sum() / 2, of_first, of_second
