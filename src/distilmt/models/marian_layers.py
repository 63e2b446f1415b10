"""Parts of a transformer layer with hand-written backward passes.

On a CPU, training on short sequences spends more time on moving tensors between cache and memory than on matrix
products. Autograd's backward pass of these parts writes tensors that the hand-written one does not need. Each function
computes the plain expression of its docstring; a test compares values and gradients.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from distilmt.models.packing import Packing


def project(x: Tensor, weight: Tensor, bias: Tensor, packing: Packing, parts: int, heads: int) -> tuple[Tensor, ...]:
    """`parts` projections of the same states in one matrix product.

    Plain expression: `packing.spread(linear(x, weight, bias), parts, heads).unbind()`.

    Args:
        x: [rows, d].
        weight: [parts · d, d], the projections' matrices concatenated.
        bias: [parts · d].
        packing: of the side that x belongs to.
        parts: number of projections.
        heads: number of attention heads.

    Returns:
        `parts` tensors [cells · heads, d / heads].
    """
    return _Project.apply(x, weight, bias, packing, parts, heads)


def attend(
    query: Tensor, key: Tensor, value: Tensor, biases: list[Tensor], packing: Packing, heads: int, scale: float
) -> Tensor:
    """Multi-head attention without the output projection.

    Plain expression, with q, k, v the blocks of `packing.by_block` and b the biases:
    `softmax(q @ k.mT * scale + b) @ v`, then `packing.gather`.

    Args:
        query: [cells · heads, d / heads].
        key: [cells · heads, d / heads].
        value: [cells · heads, d / heads].
        biases: for every block [rows, 1, width, width]; see `Packing.attention_biases`.
        packing: of the queries.
        heads: number of attention heads.
        scale: factor of the scores.

    Returns:
        States [rows, d].
    """
    return _Attend.apply(query, key, value, biases, packing, heads, scale)


def relu_feed_forward(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """`linear(relu(linear(x, w1, b1)), w2, b2)`, [rows, d].

    Shapes: x [rows, d], w1 [ffn_dim, d], b1 [ffn_dim], w2 [d, ffn_dim], b2 [d].
    """
    return _FeedForward.apply(x, w1, b1, w2, b2)


def normed_sum(norm: Any, residual: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """`norm(residual + x * mask)`, a layer norm; without a mask `norm(residual + x)`. All are [rows, d]."""
    return _NormedSum.apply(residual, x, mask, norm.weight, norm.bias, norm.eps)


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, packing: Packing, parts: int, heads: int
    ) -> tuple[Tensor, ...]:
        ctx.packing, ctx.heads = packing, heads
        ctx.save_for_backward(x, weight)
        # [rows, parts · d] -> [parts, cells · heads, d / heads]
        return packing.spread(_linear(x, weight, bias), parts, heads).unbind()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        # [parts, cells · heads, d / heads] -> [rows, parts · d]
        whole = ctx.packing.gather(torch.stack(gradients), ctx.heads)
        whole[ctx.packing.tokens :] = 0
        return whole @ weight, whole.T @ x, whole.sum(0), None, None, None


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        biases: list[Tensor],
        packing: Packing,
        heads: int,
        scale: float,
    ) -> Tensor:
        ctx.packing, ctx.heads, ctx.scale = packing, heads, scale
        result, attention_weights = torch.empty_like(query), []
        # [cells · heads, d / heads] -> for every block [rows, heads, width, d / heads]
        blocks = (packing.by_block(cells, heads) for cells in (query, key, value, result))
        for q, k, v, into, bias in zip(*blocks, biases, strict=True):
            scores = torch.add(bias, q @ k.mT, alpha=scale)  # [rows, heads, width, width]
            # Softmax over short rows is slow in bf16.
            wide = torch.promote_types(scores.dtype, torch.float32)
            weights = torch.softmax(scores, -1, dtype=wide).to(scores.dtype)
            _product(weights, v, into)
            attention_weights.append(weights)
        ctx.save_for_backward(query, key, value, *attention_weights)
        return packing.gather(result[None], heads)  # [1, cells · heads, d / heads] -> [rows, d]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *attention_weights = ctx.saved_tensors
        packing, heads = ctx.packing, ctx.heads
        outer = packing.spread(gradient, 1, heads)[0]  # [rows, d] -> [cells · heads, d / heads]
        results = [torch.empty_like(cells) for cells in (query, key, value)]
        blocks = (packing.by_block(cells, heads) for cells in (query, key, value, outer, *results))
        for q, k, v, out, of_query, of_key, of_value, weights in zip(*blocks, attention_weights, strict=True):
            # Softmax's own backward pass is slow on short rows.
            inner = (out @ v.mT).mul_(weights)  # [rows, heads, width, width]
            inner = torch.addcmul(inner, weights, inner.sum(-1, keepdim=True), value=-1).mul_(ctx.scale)
            _product(inner, k, of_query)
            _product(inner.mT, q, of_key)
            _product(weights.mT, out, of_value)
        return *results, None, None, None, None


def _product(a: Tensor, b: Tensor, into: Tensor) -> None:
    """Write `a @ b` into `into`: [rows, heads, width, m] @ [rows, heads, m, n] -> [rows, heads, width, n]."""
    torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=into.flatten(0, 1))


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        hidden = _linear(x, w1, b1, "relu")  # [rows, ffn_dim]
        ctx.save_for_backward(x, hidden, w1, w2)
        return _linear(hidden, w2, b2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, ...]:
        x, hidden, w1, w2 = ctx.saved_tensors
        inner = torch.ops.aten.threshold_backward(outer @ w2, hidden, 0)  # [rows, ffn_dim]
        return inner @ w1, inner.T @ x, inner.sum(0), outer.T @ hidden, outer.sum(0)


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
    """Linear map of x [rows, d] by weight [m, d] plus the activation: [rows, m]. One fused pass with oneDNN."""
    if x.device.type == "cpu" and x.dtype != torch.float64 and torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "")
    result = F.linear(x, weight, bias)
    return result.relu_() if activation == "relu" else result
