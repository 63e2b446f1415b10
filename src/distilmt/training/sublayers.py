"""Parts of a transformer layer whose backward passes are written by hand.

On a CPU, training on short sequences spends more time on moving tensors between cache and memory than on matrix
products. Autograd's backward pass of these parts writes tensors that the hand-written one leaves out. Each function
computes what its docstring's plain expression computes; a test holds values and gradients equal.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def project(x: Tensor, weight: Tensor, bias: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """`parts` projections of x [B, T, d] in one product, as heads [B, heads, T, d / heads] each.

    Plainly: `linear(x, weight, bias).unflatten(2, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind()`.
    """
    return _Project.apply(x, weight, bias, parts, heads)  # type: ignore[no-any-return]


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Attention of heads [B, h, T, d / h] over heads [B, h, S, d / h]: states [B, T, d].

    Plainly: `(softmax(query @ key.mT * scale + bias) @ value).transpose(1, 2).flatten(2)`.
    """
    return _Attend.apply(query, key, value, bias, scale)  # type: ignore[no-any-return]


def relu_feed_forward(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """`linear(relu(linear(x, w1, b1)), w2, b2)` of x [B, T, d]."""
    return _FeedForward.apply(x, w1, b1, w2, b2)  # type: ignore[no-any-return]


def normed_sum(norm: Any, residual: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """`norm(residual + x * mask)`, a layer norm; without a mask `norm(residual + x)`."""
    return _NormedSum.apply(residual, x, mask, norm.weight, norm.bias, norm.eps)  # type: ignore[no-any-return]


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
        split = _linear(x, weight, bias).unflatten(2, (parts, heads, -1))
        ctx.shape = split.shape
        ctx.save_for_backward(x, weight)
        return split.permute(2, 0, 3, 1, 4).contiguous().unbind()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        split = gradients[0].new_empty(ctx.shape)
        for i, gradient in enumerate(gradients):
            split[:, :, i].copy_(gradient.transpose(1, 2))
        whole = split.view(-1, len(weight))
        return (whole @ weight).view_as(x), whole.T @ x.flatten(0, 1), whole.sum(0), None, None


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float) -> Tensor:
        scores = torch.add(bias, query @ key.mT, alpha=scale)
        # On rows as short as these, softmax is slow in bf16.
        weights = torch.softmax(scores, -1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(scores.dtype)
        ctx.scale = scale
        ctx.save_for_backward(query, key, value, weights)
        return (weights @ value).transpose(1, 2).flatten(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        outer = gradient.unflatten(2, (query.shape[1], -1)).transpose(1, 2).contiguous()
        # Softmax's own backward pass is slow on short rows.
        inner = (outer @ value.mT).mul_(weights)
        inner = torch.addcmul(inner, weights, inner.sum(-1, keepdim=True), value=-1).mul_(ctx.scale)
        return inner @ key, inner.mT @ query, weights.mT @ outer, None, None


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        hidden = _linear(x, w1, b1, "relu")
        ctx.save_for_backward(x, hidden, w1, w2)
        return _linear(hidden, w2, b2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, hidden, w1, w2 = ctx.saved_tensors
        rows, wide, outer = x.flatten(0, 1), hidden.flatten(0, 1), gradient.flatten(0, 1)
        inner = torch.ops.aten.threshold_backward(outer @ w2, wide, 0)
        return (inner @ w1).view_as(x), inner.T @ rows, inner.sum(0), outer.T @ wide, outer.sum(0)


class _NormedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, residual: Tensor, x: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        total = residual + x if mask is None else torch.addcmul(residual, x, mask)
        normed, mean, deviation = torch.native_layer_norm(total, weight.shape, weight, bias, eps)
        ctx.save_for_backward(total, mean, deviation, weight, bias, mask)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        total, mean, deviation, weight, bias, mask = ctx.saved_tensors
        inner, of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(
            gradient.contiguous(), total, weight.shape, mean, deviation, weight, bias, [True, True, True]
        )
        return inner, inner if mask is None else inner * mask, None, of_weight, of_bias, None


def _linear(x: Tensor, weight: Tensor, bias: Tensor, activation: Literal["none", "relu"] = "none") -> Tensor:
    """A linear map and what follows it, in one pass over the result where oneDNN is there."""
    if x.device.type == "cpu" and x.dtype != torch.float64 and torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "")  # type: ignore[no-any-return]
    result = F.linear(x, weight, bias)
    return result.relu_() if activation == "relu" else result
