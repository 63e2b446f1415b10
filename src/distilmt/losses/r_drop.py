"""R-Drop: two passes over a batch with different dropout masks should predict the same (Liang et al. 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distilmt.losses.divergences import widened

CHUNK_LOGITS = 1 << 18
"""Logits of a chunk on a CPU: those of both passes then fit into its cache."""
_ON_GPU = 1 << 23
"""Logits of a chunk on a GPU."""


def r_drop_loss(first: Tensor, second: Tensor, weight: Tensor, vocabulary: int | None = None) -> Tensor:
    """½ KL(p₁ ‖ p₂) + ½ KL(p₂ ‖ p₁), summed over rows; zero if the passes agree.

    The forward pass computes the gradients too, a chunk of rows at a time, so that not all logits are in memory.

    Args:
        first: [N, d] the decoder's last states of one pass.
        second: [N, d] those of the other pass.
        weight: [V, d] the output projection.
        vocabulary: number of tokens, if it is less than V.

    Returns:
        Nats, a scalar in at least float32. It can be differentiated once.
    """
    return _RDropLoss.apply(first, second, weight, vocabulary)


class _RDropLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, weight: Tensor, vocabulary: int | None) -> Tensor:
        embeddings, total = weight[:vocabulary], widened(first).new_zeros(())
        of_hidden = torch.empty_like(first), torch.empty_like(second)
        of_weight = torch.zeros_like(weight, dtype=total.dtype)
        chunk = max(1, (CHUNK_LOGITS if first.device.type == "cpu" else _ON_GPU) // len(weight))
        for begin in range(0, len(first), chunk):
            rows = slice(begin, begin + chunk)
            loss, *of_logits = _symmetric_kl(first[rows], second[rows], embeddings)  # scalar, 2 × [R, vocabulary]
            total += loss
            for hidden, gradient, logit_gradient in zip((first, second), of_hidden, of_logits, strict=True):
                narrow = logit_gradient.to(hidden.dtype)
                torch.mm(narrow, embeddings, out=gradient[rows])
                of_weight[:vocabulary] += narrow.T @ hidden[rows]
        ctx.save_for_backward(*of_hidden, of_weight.to(weight.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        return *(gradient * scale for gradient in ctx.saved_tensors), None


def _symmetric_kl(first: Tensor, second: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The sum over R rows, and its gradients in the logits of both passes: a scalar and twice [R, V].

    `first` and `second` are [R, d], `embeddings` is [V, d]. With a = log p and b = log q of a row and D = KL(p ‖ q),
    the gradient in p's logits is ½ [p (a − b + 1 − D) − q].
    """
    a, b = (torch.log_softmax(widened(hidden @ embeddings.T), -1) for hidden in (first, second))
    p, q = a.exp(), b.exp()
    gap = a.sub_(b)
    forward_kl = (p * gap).sum(-1, keepdim=True)
    reverse_kl = -(q * gap).sum(-1, keepdim=True)
    of_first = torch.addcmul(-q, p, gap + (1 - forward_kl)).div_(2)
    of_second = torch.addcmul(-p, q, (1 - reverse_kl) - gap).div_(2)
    return (forward_kl + reverse_kl).sum() / 2, of_first, of_second
