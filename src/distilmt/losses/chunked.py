"""The objective and its gradients together, a chunk of rows at a time.

As in Liger Kernel's fused linear cross-entropy, the forward pass computes the gradients too, so that logits are needed
once and thrown away; the backward pass only scales them. What is new here is how few times a chunk's logits are
touched. Write a row's vocabulary as K (the teacher's top words, or just the label) and the rest. All terms of `rows`
depend on the rest only through its total mass, so with outcomes u = (z_K, logsumexp z_rest) and g = dL/du,

    dL/dz_j = g_j for j in K,   dL/dz_j = g_rest · softmax(z_rest)_j for the others,

and one softmax over the rest, computed with K masked out, is the whole matrix work. The factor g_rest is moved out
of the matrix onto rows of the products, with g_K / g_rest written in the places of K. Numbers that subtract
(p_K − q_K) stay in float32 even where the matrix is bf16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distilmt.losses.divergences import widened
from distilmt.losses.per_token import LossTerms, RowLosses, TeacherTargets, row_losses
from distilmt.losses.top_k import NEG_INF, uniform_share

_SMALLEST_FACTOR = 1e-6
"""g_rest is kept away from zero by this: the rest of a vocabulary then gets a gradient of 1e-6 at most in excess."""
_COLUMNS = 64
"""Entries among which one is looked for that a logsumexp can be read off."""


class ChunkedLoss(torch.autograd.Function):
    """Sum of losses over rows, differentiable once in hidden states, weight and bias. Use `loss.chunked_loss`."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        ids: Tensor,
        top_ids: Tensor,
        teacher: TeacherTargets,
        terms: LossTerms,
        chunk: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss summed; label cross-entropy [N] and word terms [N] of the rows. `ids` [N], `top_ids` [N, k]."""
        buffers = _ChunkBuffers(
            hidden, weight, bias, teacher, terms, min(chunk, max(1, len(hidden))), ctx.needs_input_grad[:3]
        )
        for begin in range(0, len(hidden), chunk):
            rows = slice(begin, begin + chunk)
            buffers.add(rows, ids[rows], top_ids[rows])
        buffers.add_uniform()
        ctx.save_for_backward(buffers.grad_hidden, buffers.grad_weight, buffers.grad_bias)
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        ctx.mark_non_differentiable(buffers.nll, buffers.word)
        return buffers.loss, buffers.nll, buffers.word

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Scale what the forward pass found."""
        hidden, weight, bias = ctx.saved_tensors
        weight_dtype, bias_dtype = ctx.dtypes
        return (
            None if hidden is None else _scaled(hidden, scale),
            None if weight is None else _scaled(weight, scale).to(weight_dtype),
            None if bias is None else _scaled(bias, scale).to(bias_dtype),
            *(None,) * 5,
        )


def _scaled(gradient: Tensor, scale: Tensor) -> Tensor:
    """The product, spared where it is by 1; on a GPU asking whether it is would make the host wait."""
    return gradient if scale.device.type == "cpu" and scale == 1 else gradient * scale


class _ChunkBuffers:
    """Buffers of one forward pass; sums are kept in float32 at least."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        teacher: TeacherTargets,
        terms: LossTerms,
        chunk: int,
        needs_gradient: tuple[bool, bool, bool],
    ) -> None:
        self.hidden, self.weight, self.bias, self.teacher, self.terms = hidden, weight, bias, teacher, terms
        # Fresh memory costs more than the arithmetic on it: every chunk reuses these.
        self.logits = hidden.new_empty(chunk, len(weight))
        # A CPU's softmax reads a row before it writes it, and may write where it read.
        self.tail = self.logits if hidden.device.type == "cpu" else torch.empty_like(self.logits)
        wide = teacher.row_mask.dtype
        self.loss = torch.zeros((), dtype=wide, device=hidden.device)
        self.nll, self.word, self.label_weight, self.word_weight = (
            torch.zeros_like(teacher.row_mask) for _ in range(4)
        )
        self.grad_hidden = torch.empty_like(hidden) if needs_gradient[0] else None
        # A sum over chunks needs more digits than one product has.
        self.several = len(hidden) > chunk
        self.grad_weight = (
            torch.zeros_like(weight, dtype=wide if self.several else weight.dtype) if needs_gradient[1] else None
        )
        self.grad_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and needs_gradient[2] else None
        self.weight_product = torch.empty_like(weight) if needs_gradient[1] and self.several else None

    def add(self, rows: slice, ids: Tensor, top_ids: Tensor) -> None:
        """Add the rows' loss and gradients, but for what falls evenly on all words."""
        hidden, labels = self.hidden[rows], ids.clamp_min(0)[:, None]
        logits, tail = self.logits[: len(hidden)], self.tail[: len(hidden)]
        torch.mm(hidden, self.weight.T, out=logits)
        if self.bias is not None:
            logits += self.bias
        logits[:, self.terms.vocabulary :] = NEG_INF
        label = widened(logits.gather(1, labels)).squeeze(1)
        outcomes, other, other_ids = _outcomes(logits, top_ids, tail, self.terms.ranked)
        tail[:, self.terms.vocabulary :] = 0
        inputs = [outcomes, label] if other is None else [outcomes, label, other]
        losses, gradients = _losses_and_gradients(inputs, self.teacher.rows(rows), self.terms)
        self._store(rows, losses)
        if self.grad_hidden is None and self.grad_weight is None and self.grad_bias is None:
            return
        of_outcomes, of_label = gradients[:2]
        factor = of_outcomes[:, -1:]
        factor = torch.where(factor.abs() < _SMALLEST_FACTOR, _SMALLEST_FACTOR, factor)
        # Indexing, not scatter_: that copies the whole matrix when it is bf16.
        row = torch.arange(len(tail), device=tail.device)[:, None]
        tail[row, top_ids] = (of_outcomes[:, :-1] / factor).to(tail.dtype)
        tail[row, labels] += (of_label[:, None] / factor).to(tail.dtype)
        if other_ids is not None:
            tail[row, other_ids] += (gradients[2][:, None] / factor).to(tail.dtype)
        self._add_gradients(rows, tail, factor * self.teacher.row_mask[rows, None])

    def _store(self, rows: slice, losses: RowLosses) -> None:
        """Take the rows' losses over, for the caller and for `add_uniform`."""
        self.loss += losses.loss.detach().sum()
        self.nll[rows], self.word[rows] = losses.nll.detach() * self.teacher.row_mask[rows], losses.word.detach()
        self.label_weight[rows], self.word_weight[rows] = losses.label_weight, losses.word_weight

    def _add_gradients(self, rows: slice, tail: Tensor, factor: Tensor) -> None:
        if self.grad_hidden is not None:
            torch.mm(tail, self.weight, out=self.grad_hidden[rows])
            self.grad_hidden[rows].mul_(factor)
        if self.grad_weight is not None:
            scaled = (self.hidden[rows] * factor).to(tail.dtype)
            if self.weight_product is not None:
                self.grad_weight += torch.mm(tail.T, scaled, out=self.weight_product)
            else:
                torch.mm(tail.T, scaled, out=self.grad_weight)
        if self.grad_bias is not None:
            self.grad_bias += (tail.T @ factor.to(tail.dtype)).squeeze(1)

    def add_uniform(self) -> None:
        """What falls evenly on all words: linear in the logits, −Σ_n share_n Σ_v z_nv, so that it needs none."""
        terms = self.terms
        if not terms.uniform and terms.smoothing == 0:
            return
        vocabulary_rows = slice(terms.vocabulary)
        weights = self.weight[vocabulary_rows].sum(0).to(self.loss.dtype)  # summed in float32, whatever comes out
        hidden = widened(self.hidden)
        sums = hidden @ weights + (0 if self.bias is None else self.bias[vocabulary_rows].sum(dtype=self.loss.dtype))
        shares = self.label_weight * (terms.smoothing / terms.vocabulary)
        if terms.uniform:
            outside = uniform_share(self.teacher.probs, terms.vocabulary)
            self.word -= outside * sums
            shares = shares + self.word_weight * outside
        self.loss -= shares @ sums
        # In the gradients' own dtype: with two dtypes PyTorch copies the whole gradient there and back. And not by -=,
        # which assigns a slice to itself afterwards, that is, copies it.
        if self.grad_hidden is not None:
            self.grad_hidden.sub_((shares[:, None] * weights).to(self.grad_hidden.dtype))
        if self.grad_weight is not None:
            self.grad_weight[vocabulary_rows].sub_((shares @ hidden).to(self.grad_weight.dtype))
        if self.grad_bias is not None:
            self.grad_bias[vocabulary_rows].sub_(shares.sum())


def _losses_and_gradients(
    inputs: list[Tensor], teacher: TeacherTargets, terms: LossTerms
) -> tuple[RowLosses, tuple[Tensor, ...]]:
    """Losses of rows, and the gradients of their sum in the columns they depend on."""
    with torch.enable_grad():
        columns = [column.requires_grad_() for column in inputs]
        losses = row_losses(columns[0], columns[1], columns[2] if len(columns) > 2 else None, teacher, terms)
        gradients = torch.autograd.grad(losses.loss.sum(), columns, allow_unused=True)
    return losses, tuple(
        torch.zeros_like(column) if gradient is None else gradient
        for gradient, column in zip(gradients, columns, strict=True)
    )


def _outcomes(
    logits: Tensor, top_ids: Tensor, tail: Tensor, ranked: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Logits of K and of the rest, [rows, k + 1]; `tail` is filled with the softmax over the rest, zero at K.

    If `ranked`, the likeliest logit [rows] of the rest and its words [rows, 1] as well.
    """
    top = widened(logits.gather(1, top_ids))
    row = torch.arange(len(logits), device=logits.device)[:, None]
    logits[row, top_ids] = logits.new_full((), NEG_INF)  # a number would be copied there, and the GPU waited for
    best = logits.max(1, keepdim=True) if ranked else None
    other = None if best is None else widened(best.values).squeeze(1)
    # logsumexp is z_j − log softmax_j at any entry j: a second exponential over the vocabulary is saved. The likeliest
    # of a few entries is taken, so that its softmax never vanishes; more of them than K can take away.
    few = slice(_COLUMNS + top_ids.shape[1])
    largest = widened(logits[:, few].amax(1, keepdim=True))
    torch.softmax(logits, dim=1, out=tail)
    share = tail[:, few].amax(1, keepdim=True).clamp_min(torch.finfo(tail.dtype).tiny)
    outcomes = torch.cat([top, largest - widened(share).log()], dim=1)
    return outcomes, other, None if best is None else best.indices
