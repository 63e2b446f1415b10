"""The objective and its gradients together, a chunk of rows at a time.

As in Liger Kernel's fused linear cross-entropy, the forward pass also computes the gradients, so that logits are needed
once and then discarded; the backward pass only scales the gradients. New here is the small number of passes over a
chunk's logits. Split a row's vocabulary into K (the teacher's top-k tokens, or just the label) and the rest. All terms
of `per_token` depend on the rest only through its total mass, so with outcomes u = (z_K, logsumexp z_rest) and
g = dL/du,

    dL/dz_j = g_j for j in K,   dL/dz_j = g_rest · softmax(z_rest)_j for the others,

and the only matrix operation is one softmax over the rest, computed with K masked out. The factor g_rest is moved out
of the matrix onto rows of the products, and the columns of K hold g_K / g_rest. Differences (p_K − q_K) stay in float32
even if the matrix is bf16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distilmt.losses.divergences import widened
from distilmt.losses.per_token import RowLosses, TeacherTargets, TokenLoss, row_losses
from distilmt.losses.top_k import NEG_INF, uniform_share

_SMALLEST_FACTOR = 1e-6
"""Lower bound of |g_rest|, so that the division is safe: the rest's gradient is wrong by at most 1e-6."""
_COLUMNS = 64
"""Number of entries from which `_outcomes` picks one to derive the logsumexp."""


class ChunkedLoss(torch.autograd.Function):
    """Sum of losses over rows, with first derivatives of hidden states, weight and bias.

    Call it through `distillation.chunked_loss`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        ids: Tensor,
        top_ids: Tensor,
        teacher: TeacherTargets,
        terms: TokenLoss,
        chunk: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute losses and gradients.

        Args:
            ctx: autograd's context.
            hidden: [N, d].
            weight: [V, d].
            bias: [V], or None.
            ids: [N] labels.
            top_ids: [N, k] the teacher's top-k tokens, or [N, 1] the labels.
            teacher: the teacher targets of the rows.
            terms: the objective.
            chunk: rows per chunk.

        Returns:
            The summed loss (a scalar), and per row the label cross-entropy [N] and the distillation term [N].
        """
        buffers = _ChunkBuffers(
            hidden, weight, bias, teacher, terms, min(chunk, max(1, len(hidden))), ctx.needs_input_grad[:3]
        )
        for begin in range(0, len(hidden), chunk):
            rows = slice(begin, begin + chunk)
            buffers.add(rows, ids[rows], top_ids[rows])
        buffers.add_uniform()
        ctx.save_for_backward(buffers.grad_hidden, buffers.grad_weight, buffers.grad_bias)
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        ctx.mark_non_differentiable(buffers.nll, buffers.distillation)
        return buffers.loss, buffers.nll, buffers.distillation

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients of the forward pass by `scale` (a scalar)."""
        hidden, weight, bias = ctx.saved_tensors
        weight_dtype, bias_dtype = ctx.dtypes
        return (
            None if hidden is None else _scaled(hidden, scale),
            None if weight is None else _scaled(weight, scale).to(weight_dtype),
            None if bias is None else _scaled(bias, scale).to(bias_dtype),
            *(None,) * 5,
        )


def _scaled(gradient: Tensor, scale: Tensor) -> Tensor:
    """`gradient * scale` for a scalar, skipped if it is 1; not checked on a GPU, where the host would have to wait."""
    return gradient if scale.device.type == "cpu" and scale == 1 else gradient * scale


class _ChunkBuffers:
    """Buffers of one forward pass; sums are in at least float32."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        teacher: TeacherTargets,
        terms: TokenLoss,
        chunk: int,
        needs_gradient: tuple[bool, bool, bool],
    ) -> None:
        self.hidden, self.weight, self.bias, self.teacher, self.terms = hidden, weight, bias, teacher, terms
        # New memory costs more than the arithmetic on it: all chunks reuse these.
        self.logits = hidden.new_empty(chunk, len(weight))  # [chunk, V]
        # On a CPU, softmax reads a row before it writes it, so that it can work in place.
        self.tail = self.logits if hidden.device.type == "cpu" else torch.empty_like(self.logits)
        wide = teacher.row_mask.dtype
        self.loss = torch.zeros((), dtype=wide, device=hidden.device)
        self.nll, self.distillation, self.label_weight, self.distillation_weight = (
            torch.zeros_like(teacher.row_mask) for _ in range(4)
        )
        self.grad_hidden = torch.empty_like(hidden) if needs_gradient[0] else None
        # A sum over several chunks needs higher precision than a single product.
        self.several = len(hidden) > chunk
        self.grad_weight = (
            torch.zeros_like(weight, dtype=wide if self.several else weight.dtype) if needs_gradient[1] else None
        )
        self.grad_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and needs_gradient[2] else None
        self.weight_product = torch.empty_like(weight) if needs_gradient[1] and self.several else None

    def add(self, rows: slice, ids: Tensor, top_ids: Tensor) -> None:
        """Add loss and gradients of R rows, `ids` [R] and `top_ids` [R, k], without the part of `add_uniform`."""
        hidden, labels = self.hidden[rows], ids.clamp_min(0)[:, None]  # [R, d], [R, 1]
        logits, tail = self.logits[: len(hidden)], self.tail[: len(hidden)]  # [R, V] each
        torch.mm(hidden, self.weight.T, out=logits)
        if self.bias is not None:
            logits += self.bias
        logits[:, self.terms.vocabulary :] = NEG_INF
        label = widened(logits.gather(1, labels)).squeeze(1)  # [R]
        outcomes, runner_up, runner_up_ids = _outcomes(
            logits, top_ids, tail, self.terms.needs_runner_up
        )  # [R, k + 1], [R], [R, 1]
        tail[:, self.terms.vocabulary :] = 0
        inputs = [outcomes, label] if runner_up is None else [outcomes, label, runner_up]
        losses, gradients = _losses_and_gradients(inputs, self.teacher.rows(rows), self.terms)
        self._store(rows, losses)
        if self.grad_hidden is None and self.grad_weight is None and self.grad_bias is None:
            return
        of_outcomes, of_label = gradients[:2]  # [R, k + 1], [R]
        factor = of_outcomes[:, -1:]  # [R, 1]
        factor = torch.where(factor.abs() < _SMALLEST_FACTOR, _SMALLEST_FACTOR, factor)
        # Indexing, not scatter_, which copies the whole matrix if it is bf16.
        row = torch.arange(len(tail), device=tail.device)[:, None]
        tail[row, top_ids] = (of_outcomes[:, :-1] / factor).to(tail.dtype)
        tail[row, labels] += (of_label[:, None] / factor).to(tail.dtype)
        if runner_up_ids is not None:
            tail[row, runner_up_ids] += (gradients[2][:, None] / factor).to(tail.dtype)
        self._add_gradients(rows, tail, factor * self.teacher.row_mask[rows, None])

    def _store(self, rows: slice, losses: RowLosses) -> None:
        """Store the rows' losses for the caller and for `add_uniform`."""
        self.loss += losses.loss.detach().sum()
        self.nll[rows], self.distillation[rows] = (
            losses.nll.detach() * self.teacher.row_mask[rows],
            losses.distillation.detach(),
        )
        self.label_weight[rows], self.distillation_weight[rows] = losses.label_weight, losses.distillation_weight

    def _add_gradients(self, rows: slice, tail: Tensor, factor: Tensor) -> None:
        """Add gradients of R rows, which are `tail * factor` in the logits: tail [R, V], factor [R, 1]."""
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
        """Add the part that is uniform over the vocabulary, −Σ_n share_n Σ_v z_nv: linear, so it needs no logits."""
        terms = self.terms
        if not terms.uniform and terms.smoothing == 0:
            return
        vocabulary_rows = slice(terms.vocabulary)
        weights = self.weight[vocabulary_rows].sum(0).to(self.loss.dtype)  # [d]; accumulated in float32 by PyTorch
        hidden = widened(self.hidden)  # [N, d]
        sums = hidden @ weights + (0 if self.bias is None else self.bias[vocabulary_rows].sum(dtype=self.loss.dtype))
        shares = self.label_weight * (terms.smoothing / terms.vocabulary)  # [N], like `sums`
        if terms.uniform:
            outside = uniform_share(self.teacher.probs, terms.vocabulary)
            self.distillation -= outside * sums
            shares = shares + self.distillation_weight * outside
        self.loss -= shares @ sums
        # In the gradients' own dtype: with mixed dtypes PyTorch converts the whole gradient and back. Not with -=,
        # which also assigns the slice to itself, that is, copies it.
        if self.grad_hidden is not None:
            self.grad_hidden.sub_((shares[:, None] * weights).to(self.grad_hidden.dtype))
        if self.grad_weight is not None:
            self.grad_weight[vocabulary_rows].sub_((shares @ hidden).to(self.grad_weight.dtype))
        if self.grad_bias is not None:
            self.grad_bias[vocabulary_rows].sub_(shares.sum())


def _losses_and_gradients(
    inputs: list[Tensor], teacher: TeacherTargets, terms: TokenLoss
) -> tuple[RowLosses, tuple[Tensor, ...]]:
    """Losses of R rows, and the gradients of their sum: one per input, of its shape ([R, k + 1] or [R])."""
    with torch.enable_grad():
        columns = [column.requires_grad_() for column in inputs]
        losses = row_losses(columns[0], columns[1], columns[2] if len(columns) > 2 else None, teacher, terms)
        gradients = torch.autograd.grad(losses.loss.sum(), columns, allow_unused=True)
    return losses, tuple(
        torch.zeros_like(column) if gradient is None else gradient
        for gradient, column in zip(gradients, columns, strict=True)
    )


def _outcomes(
    logits: Tensor, top_ids: Tensor, tail: Tensor, needs_runner_up: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Reduce logits [R, V] to the outcomes, given `top_ids` [R, k]; `logits` at K are overwritten.

    Fills `tail` [R, V] with the softmax over the rest, zero at K.

    Returns:
        Logits of K and of the rest [R, k + 1]; and if needed the rest's highest logit [R] and its token [R, 1].
    """
    top = widened(logits.gather(1, top_ids))  # [R, k]
    row = torch.arange(len(logits), device=logits.device)[:, None]
    logits[row, top_ids] = logits.new_full((), NEG_INF)  # a Python number would be copied to the GPU, which waits
    best = logits.max(1, keepdim=True) if needs_runner_up else None
    runner_up = None if best is None else widened(best.values).squeeze(1)
    # logsumexp is z_j − log softmax_j at any entry j, which saves a second exponential over the vocabulary. The
    # largest of a few entries is used, so that its softmax does not vanish; K can mask only k of these entries.
    few = slice(_COLUMNS + top_ids.shape[1])
    largest = widened(logits[:, few].amax(1, keepdim=True))  # [R, 1]
    torch.softmax(logits, dim=1, out=tail)
    share = tail[:, few].amax(1, keepdim=True).clamp_min(torch.finfo(tail.dtype).tiny)
    outcomes = torch.cat([top, largest - widened(share).log()], dim=1)
    return outcomes, runner_up, None if best is None else best.indices
