"""The student's objective: a weighted sum of token-level distillation and label cross-entropy.

`reference_loss` is the definition. `chunked_loss` computes the same from hidden states, without storing all logits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from distilmt.config import ObjectiveConfig
from distilmt.losses.chunked import ChunkedLoss
from distilmt.losses.divergences import widened
from distilmt.losses.per_token import TeacherTargets, TokenLoss, row_losses, teacher_targets
from distilmt.losses.top_k import NEG_INF, outcome_entropy, student_outcomes, uniform_share

_LOGITS = 1 << 24
"""Logits in memory at a time: 64 MB in float32. All logits of 4,096 target tokens over a vocabulary of 32,000 would be
half a gigabyte."""
_ROWS = 128
"""Chunks are multiples of this many rows, the tile of matrix products."""


@dataclass
class TokenTargets:
    """Targets of N rows of hidden states.

    A row with a negative id is ignored. A row whose `top_logprobs` are all -inf has no teacher targets, only its label.
    """

    ids: Tensor
    """[N] int64: the labels."""
    top_ids: Tensor | None = None
    """[N, k] int64 or int32: the teacher's top-k tokens, most likely first, distinct in a row and below V."""
    top_logprobs: Tensor | None = None
    """[N, k] float: their log-probabilities."""


@dataclass(frozen=True)
class LossSettings:
    """Weights of the loss terms."""

    objective: ObjectiveConfig
    smoothing: float = 0.0
    """Share of the label's probability spread over the vocabulary; teacher targets are never smoothed."""
    threshold: Tensor | None = None
    """Scalar: minimum cross-entropy of hard tokens under `token_selection: queue`. None: a quantile of the batch."""
    mean_weight: Tensor | None = None
    """Scalar: divisor of the weights under `entropy_mode: weight_high` or `weight_low`. None: the targets' mean."""


def anneal_teacher(objective: ObjectiveConfig, progress: float) -> ObjectiveConfig:
    """The objective with the weights at `progress` (0 to 1) of the training.

    Teacher annealing (Clark et al. 2019, BAM, section 3.1): the distillation weight falls linearly to zero and the
    label weight rises by the same amount, so that a student can surpass a teacher that is only slightly better.
    """
    if not objective.teacher_annealing:
        return objective
    kd_weight = objective.kd_weight * max(0.0, 1.0 - progress)
    return replace(objective, kd_weight=kd_weight, ce_weight=objective.ce_weight + objective.kd_weight - kd_weight)


@dataclass
class Statistics:
    """Sums over rows, unweighted and without gradients. Divide by the number of rows for means per target token."""

    nll: Tensor
    """Scalar: cross-entropy against the labels, without smoothing."""
    distillation: Tensor
    """Scalar: the distillation term, a cross-entropy under `kl`, else the divergence; zero without a teacher."""
    entropy: Tensor
    """Scalar: the teacher's entropy under `kl`, so that `distillation - entropy` is the divergence; else zero."""
    rows: Tensor
    """[N]: cross-entropy against the labels, per row."""


def reference_loss(student_logits: Tensor, targets: TokenTargets, settings: LossSettings) -> Tensor:
    """The objective of every row, [N], from logits [N, V]: the readable definition, which tests compare with.

    Raises:
        ValueError: the objective has a distillation weight, but there are no teacher targets.
    """
    logits = widened(student_logits)
    terms, top = _token_loss(targets, settings, logits.shape[1])
    teacher = teacher_targets(targets.ids, top, terms, logits.dtype)
    labels = targets.ids.clamp_min(0).long()[:, None]  # [N, 1]
    ids = labels if top is None else top[0]  # [N, k]
    runner_up = logits.scatter(1, ids, NEG_INF).amax(1) if terms.needs_runner_up else None
    losses = row_losses(student_outcomes(logits, ids), logits.gather(1, labels).squeeze(1), runner_up, teacher, terms)
    even = losses.label_weight * terms.smoothing / terms.vocabulary
    if terms.uniform:
        even = even + losses.distillation_weight * uniform_share(teacher.probs, terms.vocabulary)
    return losses.loss - even * logits.sum(-1)


def chunked_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: TokenTargets,
    settings: LossSettings,
    chunk: int | None = None,
    vocabulary: int | None = None,
) -> tuple[Tensor, Statistics]:
    """Sum over rows of `reference_loss(hidden @ weight.T + bias, …)`, with gradients, a chunk of rows at a time.

    Under `token_selection: batch` the hardest rows are selected per chunk.

    Args:
        hidden: [N, d] the decoder's last states; bf16, float32 or float64. Rows after the last target are ignored.
        weight: [V, d] the output projection, of the same dtype.
        bias: [V], or None.
        targets: labels and teacher targets of the rows.
        settings: the objective's configuration and the label smoothing.
        chunk: rows whose logits are in memory at a time; by default about 16 million logits.
        vocabulary: number of tokens, if it is less than V: the other rows of `weight` get no probability or gradient.

    Returns:
        The sum, a scalar (divide by the target tokens of the whole batch), and the statistics. It can be differentiated
        once.

    Raises:
        ValueError: the objective has a distillation weight, but there are no teacher targets.
    """
    rows = len(targets.ids)
    targets = _pad_targets(targets, len(hidden))
    terms, top = _token_loss(targets, settings, len(weight) if vocabulary is None else vocabulary)
    teacher = teacher_targets(targets.ids, top, terms, torch.promote_types(hidden.dtype, torch.float32))
    top_ids = targets.ids.clamp_min(0)[:, None] if top is None else top[0]
    chunk = chunk or _even_chunk(len(hidden), len(weight))
    loss, nll, distillation = ChunkedLoss.apply(hidden, weight, bias, targets.ids, top_ids, teacher, terms, chunk)
    return loss, Statistics(
        nll=nll.sum(), distillation=distillation.sum(), entropy=_teacher_entropy(teacher, terms), rows=nll[:rows]
    )


def weights_by_entropy(targets: TokenTargets, settings: LossSettings, vocabulary: int) -> Tensor:
    """Sum of the rows' weights by the teacher's entropy, and the number of rows with a teacher: [2] float32.

    Summed over all shards of a batch, their ratio is the `LossSettings.mean_weight` of every shard.
    """
    one = torch.ones((), device=targets.ids.device)
    terms, top = _token_loss(targets, replace(settings, mean_weight=one), vocabulary)
    teacher = teacher_targets(targets.ids, top, terms, torch.float32)
    return torch.stack([(teacher.weight * teacher.has_teacher).sum(), teacher.has_teacher.sum()])


def _token_loss(
    targets: TokenTargets, settings: LossSettings, vocabulary: int
) -> tuple[TokenLoss, tuple[Tensor, Tensor] | None]:
    """The terms, and the teacher's top-k tokens and log-probabilities, [N, k] each; None if they are not used."""
    config = settings.objective
    top = None
    if config.kd_weight != 0:
        if targets.top_ids is None or targets.top_logprobs is None:
            raise ValueError("objective.kd_weight is above 0, but there are no teacher targets: set top_ids")
        top = targets.top_ids[:, : config.top_k].long(), targets.top_logprobs[:, : config.top_k]
    terms = TokenLoss(
        config,
        settings.smoothing,
        vocabulary,
        uses_teacher=top is not None,
        threshold=settings.threshold,
        mean_weight=settings.mean_weight,
    )
    return terms, top


def _teacher_entropy(teacher: TeacherTargets, terms: TokenLoss) -> Tensor:
    """The minimum of the distillation term, summed over rows: the teacher's entropy, a scalar."""
    if not terms.uses_teacher or terms.config.divergence != "kl":
        return torch.zeros_like(teacher.row_mask).sum()
    return outcome_entropy(teacher.probs, teacher.temperature, terms.config.tail, terms.vocabulary).sum()


def _even_chunk(rows: int, vocabulary: int) -> int:
    """Rows per chunk, a multiple of 128: chunks have equal sizes, so that the last one is not much smaller."""
    chunks = -(-rows * vocabulary // _LOGITS)
    return max(1, -(-rows // (max(1, chunks) * _ROWS))) * _ROWS


def _pad_targets(targets: TokenTargets, rows: int) -> TokenTargets:
    """Targets padded to `rows` rows; the padding is ignored by the loss."""
    more = rows - len(targets.ids)
    if not more:
        return targets

    def pad(top: Tensor | None) -> Tensor | None:
        return None if top is None else torch.cat([top, top[:1].expand(more, -1)])  # [N, k] -> [rows, k]

    return TokenTargets(
        ids=F.pad(targets.ids, (0, more), value=-1),
        top_ids=pad(targets.top_ids),
        top_logprobs=pad(targets.top_logprobs),
    )
