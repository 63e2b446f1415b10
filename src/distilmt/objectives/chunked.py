"""The objective and its gradients together, a chunk of rows at a time.

As in Liger Kernel's fused linear cross-entropy, the forward pass computes the gradients too, so that logits are needed
once and thrown away; the backward pass only scales them. What is new here is how few times a chunk's logits are
touched. Write a row's vocabulary as K (the teacher's top words, or just the label) and the rest. All terms depend on
the rest only through its total mass, so with outcomes u = (z_K, logsumexp z_rest) and g = dL/du,

    dL/dz_j = g_j for j in K,   dL/dz_j = g_rest · softmax(z_rest)_j for the others,

and one softmax over the rest, computed with K masked out, is the whole matrix work. The factor g_rest is moved out
of the matrix onto rows of the products, with g_K / g_rest written in the places of K. Numbers that subtract
(p_K − q_K) stay in float32 even where the matrix is bf16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distilmt.objectives.divergences import widened
from distilmt.objectives.sparse import NOWHERE, even_share, outcome_cross_entropy, uniform_cross_entropy

_SMALLEST_FACTOR = 1e-6
"""g_rest is kept away from zero by this: the rest of a vocabulary then gets a gradient of 1e-6 at most in excess."""
_COLUMNS = 64
"""Entries among which one is looked for that a logsumexp can be read off."""


class Terms(NamedTuple):
    """Weights of the two cross-entropies, how they are softened, and over how many words."""

    label: float
    word: float
    temperature: float
    smoothing: float
    uniform: bool
    """Whether the mass outside the teacher's top words is to be shared out evenly."""
    vocabulary: int
    """Words are the first so many rows of the weight; the others get neither probability nor gradient."""


class ChunkedLoss(torch.autograd.Function):
    """Sum of losses over rows, differentiable once in hidden states, weight and bias. Use `loss.chunked_loss`."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        ids: Tensor,
        outcomes: Tensor,
        masses: Tensor | None,
        terms: Terms,
        chunk: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of loss, label and word cross-entropy; `ids` [N], `outcomes` [N, k], `masses` [N, k + 1]."""
        work = _Work(hidden, weight, bias, terms, min(chunk, max(1, len(hidden))), ctx.needs_input_grad[:3])
        for begin in range(0, len(hidden), chunk):
            rows = slice(begin, begin + chunk)
            work.add(rows, ids[rows], outcomes[rows], None if masses is None else masses[rows])
        work.add_even(ids, masses)
        ctx.save_for_backward(work.grad_hidden, work.grad_weight, work.grad_bias)
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        ctx.mark_non_differentiable(work.nll, work.word)
        return work.loss, work.nll, work.word

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


class _Work:
    """Buffers of one forward pass; sums are kept in float32 at least."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        terms: Terms,
        chunk: int,
        wanted: tuple[bool, bool, bool],
    ) -> None:
        self.hidden, self.weight, self.bias, self.terms = hidden, weight, bias, terms
        # Fresh memory costs more than the arithmetic on it: every chunk reuses these.
        self.logits = hidden.new_empty(chunk, len(weight))
        # A CPU's softmax reads a row before it writes it, and may write where it read.
        self.rest = self.logits if hidden.device.type == "cpu" else torch.empty_like(self.logits)
        wide = torch.promote_types(hidden.dtype, torch.float32)
        self.loss = torch.zeros((), dtype=wide, device=hidden.device)
        self.nll, self.word = self.loss.clone(), self.loss.clone()
        self.grad_hidden = torch.empty_like(hidden) if wanted[0] else None
        # A sum over chunks needs more digits than one product has.
        self.several = len(hidden) > chunk
        self.grad_weight = torch.zeros_like(weight, dtype=wide if self.several else weight.dtype) if wanted[1] else None
        self.grad_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and wanted[2] else None
        self.weight_product = torch.empty_like(weight) if wanted[1] and self.several else None

    def add(self, rows: slice, ids: Tensor, top_ids: Tensor, masses: Tensor | None) -> None:
        """Add the rows' loss and gradients, but for what falls evenly on all words."""
        hidden = self.hidden[rows]
        keep = (ids >= 0).to(self.loss.dtype)
        labels = ids.clamp_min(0)[:, None]
        logits, rest = self.logits[: len(hidden)], self.rest[: len(hidden)]
        torch.mm(hidden, self.weight.T, out=logits)
        if self.bias is not None:
            logits += self.bias
        logits[:, self.terms.vocabulary :] = NOWHERE
        label_logits = widened(logits.gather(1, labels)).squeeze(1)
        outcomes = _outcomes(logits, top_ids, rest)
        rest[:, self.terms.vocabulary :] = 0
        self._add_loss(outcomes, label_logits, masses, keep)
        if self.grad_hidden is None and self.grad_weight is None and self.grad_bias is None:
            return
        gradient = _outcome_gradient(outcomes, masses, self.terms)
        factor = gradient[:, -1:]
        factor = torch.where(factor.abs() < _SMALLEST_FACTOR, _SMALLEST_FACTOR, factor)
        at_label = -self.terms.label * (1 - self.terms.smoothing) / factor
        # Indexing, not scatter_: that copies the whole matrix when it is bf16.
        row = torch.arange(len(rest), device=rest.device)[:, None]
        rest[row, top_ids] = (gradient[:, :-1] / factor).to(rest.dtype)
        rest[row, labels] += at_label.to(rest.dtype)
        self._add_gradients(rows, rest, factor * keep[:, None])

    def _add_loss(self, outcomes: Tensor, label_logits: Tensor, masses: Tensor | None, keep: Tensor) -> None:
        terms = self.terms
        total = outcomes.logsumexp(-1)
        nll = ((total - label_logits) * keep).sum()
        self.nll += nll
        self.loss += terms.label * ((1 - terms.smoothing) * nll + terms.smoothing * (total * keep).sum())
        if masses is not None:
            word = outcome_cross_entropy(outcomes, masses, terms.temperature).sum()
            if terms.uniform:
                word += uniform_cross_entropy(outcomes, masses, terms.vocabulary).sum()
            self.word += word
            self.loss += terms.word * word

    def _add_gradients(self, rows: slice, rest: Tensor, factor: Tensor) -> None:
        if self.grad_hidden is not None:
            torch.mm(rest, self.weight, out=self.grad_hidden[rows])
            self.grad_hidden[rows].mul_(factor)
        if self.grad_weight is not None:
            scaled = (self.hidden[rows] * factor).to(rest.dtype)
            if self.weight_product is not None:
                self.grad_weight += torch.mm(rest.T, scaled, out=self.weight_product)
            else:
                torch.mm(rest.T, scaled, out=self.grad_weight)
        if self.grad_bias is not None:
            self.grad_bias += (rest.T @ factor.to(rest.dtype)).squeeze(1)

    def add_even(self, ids: Tensor, masses: Tensor | None) -> None:
        """What falls evenly on all words: linear in the logits, −Σ_n share_n Σ_v z_nv, so that it needs none."""
        terms = self.terms
        shares = (ids >= 0).to(self.loss.dtype) * (terms.label * terms.smoothing / terms.vocabulary)
        if masses is not None and terms.uniform:
            words = even_share(masses, terms.vocabulary).to(self.loss.dtype)
            self.word -= self._summed_logits(words)[0]
            shares = shares + terms.word * words
        elif terms.label * terms.smoothing == 0:
            return
        total, states, weights = self._summed_logits(shares)
        self.loss -= total
        # In the gradients' own dtype: with two dtypes PyTorch copies the whole gradient there and back. And not by -=,
        # which assigns a slice to itself afterwards, that is, copies it.
        if self.grad_hidden is not None:
            self.grad_hidden.sub_((shares[:, None] * weights).to(self.grad_hidden.dtype))
        if self.grad_weight is not None:
            self.grad_weight[: terms.vocabulary].sub_(states.to(self.grad_weight.dtype))
        if self.grad_bias is not None:
            self.grad_bias[: terms.vocabulary].sub_(shares.sum())

    def _summed_logits(self, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Σ_n share_n Σ_v z_nv, and its two factors: the rows' states and all words' weights, summed, [d] each."""
        words = slice(self.terms.vocabulary)
        weights = self.weight[words].sum(0).to(self.loss.dtype)  # summed in float32, whatever comes out
        states = shares @ widened(self.hidden)
        total = states @ weights
        if self.bias is not None:
            total = total + shares.sum() * self.bias[words].sum(dtype=self.loss.dtype)
        return total, states, weights


def _outcomes(logits: Tensor, top_ids: Tensor, rest: Tensor) -> Tensor:
    """Logits of K and of the rest, [rows, k + 1]; `rest` is filled with the softmax over the rest, zero at K."""
    top = widened(logits.gather(1, top_ids))
    logits[torch.arange(len(logits), device=logits.device)[:, None], top_ids] = NOWHERE
    # logsumexp is z_j − log softmax_j at any entry j: a second exponential over the vocabulary is saved. The likeliest
    # of a few entries is taken, so that its softmax never vanishes; more of them than K can take away.
    few = slice(_COLUMNS + top_ids.shape[1])
    largest = widened(logits[:, few].amax(1, keepdim=True))
    torch.softmax(logits, dim=1, out=rest)
    share = rest[:, few].amax(1, keepdim=True).clamp_min(torch.finfo(rest.dtype).tiny)
    return torch.cat([top, largest - widened(share).log()], dim=1)


def _outcome_gradient(outcomes: Tensor, masses: Tensor | None, terms: Terms) -> Tensor:
    """dL/du, [rows, k + 1], without the label's own −1 and what falls evenly on all words."""
    gradient = terms.label * torch.softmax(outcomes, dim=1)
    if masses is None or terms.word == 0:
        return gradient
    softened = torch.softmax(outcomes / terms.temperature, dim=1)
    difference = masses.sum(1, keepdim=True) * softened - masses
    gradient.add_(difference, alpha=terms.word * terms.temperature)
    if terms.uniform:
        gradient[:, :-1] += terms.word * even_share(masses, terms.vocabulary)[:, None]
        gradient[:, -1] += terms.word * masses[:, -1]
    return gradient
