"""The objective of every position ("row"), from the few numbers of its logits that it depends on.

Split the vocabulary into K, the teacher's top-k tokens (without a teacher: just the label), and all others, the bucket.
One part of the objective is linear in all logits (label smoothing, a uniform tail). Everything else depends on the
logits only through those of K, the bucket's logsumexp, the label's logit and the highest logit of the others. So all
terms are plain functions of a few columns, and automatic differentiation of these is cheap; `chunked` propagates the
gradients to the whole vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig
from distilmt.losses.divergences import divergence, entropy, parameter_values
from distilmt.losses.records import RowOutcomes
from distilmt.losses.terms import Need, active_terms, needs
from distilmt.losses.top_k import outcome_cross_entropy, teacher_outcomes, uniform_cross_entropy, uniform_share


@dataclass(frozen=True)
class TokenLoss:
    """The token-level part of the objective and its settings."""

    config: ObjectiveConfig
    smoothing: float
    vocabulary: int
    """The first rows of the output matrix, which are tokens; other rows get no probability or gradient."""
    uses_teacher: bool
    """Whether there are teacher targets with a weight above 0."""
    threshold: Tensor | None = None
    """Scalar: minimum cross-entropy of hard tokens (`token_selection: queue`); None until it is known."""
    mean_weight: Tensor | None = None
    """Scalar: mean entropy weight of a whole batch, if these rows are only a part of it."""

    @property
    def uniform(self) -> bool:
        """Whether the student should spread the mass outside the teacher's top k evenly."""
        return self.uses_teacher and self.config.tail == "uniform"

    @property
    def needs_runner_up(self) -> bool:
        """Whether a term needs the student's highest logit outside K."""
        return self.uses_teacher and Need.RUNNER_UP in needs(self.config)


@dataclass(frozen=True)
class TeacherTargets:
    """Targets of the rows that do not depend on the student; all are [N] except `probs`."""

    row_mask: Tensor
    """1 if the row counts, else 0."""
    has_teacher: Tensor
    """1 if the row counts and has teacher targets, else 0."""
    probs: Tensor
    """[N, k + 1] softened probabilities of the teacher's outcomes; [N, 0] without a teacher."""
    temperature: Tensor
    """Softens both sides."""
    weight: Tensor
    """Weight of the distillation term, by the teacher's entropy."""
    at_label: Tensor
    """The teacher's probability of the label, not softened."""

    @classmethod
    def without_teacher(cls, row_mask: Tensor) -> TeacherTargets:
        """Targets of labels alone; `row_mask` is [N]."""
        one, zero = torch.ones_like(row_mask), torch.zeros_like(row_mask)
        return cls(
            row_mask=row_mask,
            has_teacher=zero,
            probs=row_mask[:, None][:, :0],
            temperature=one,
            weight=one,
            at_label=zero,
        )

    def rows(self, chosen: slice) -> TeacherTargets:
        """The targets of some of the rows."""
        return TeacherTargets(
            row_mask=self.row_mask[chosen],
            has_teacher=self.has_teacher[chosen],
            probs=self.probs[chosen],
            temperature=self.temperature[chosen],
            weight=self.weight[chosen],
            at_label=self.at_label[chosen],
        )


@dataclass(frozen=True)
class RowLosses:
    """Losses of rows, [N] each, without the part that is linear in all logits."""

    loss: Tensor
    nll: Tensor
    """Cross-entropy against the label."""
    distillation: Tensor
    """The distillation term, unweighted: cross-entropy under `kl`, else the divergence."""
    label_weight: Tensor
    """Weight of the label term, without gradients."""
    distillation_weight: Tensor
    """Weight of the distillation term, without gradients."""


def teacher_targets(
    ids: Tensor, top: tuple[Tensor, Tensor] | None, terms: TokenLoss, dtype: torch.dtype
) -> TeacherTargets:
    """The targets of the rows that do not depend on the student.

    Args:
        ids: [N] labels; a row with a negative label is ignored.
        top: the teacher's top-k tokens and their log-probabilities, [N, k] each; None if they are not used.
        terms: the objective.
        dtype: at least float32.
    """
    row_mask = (ids >= 0).to(dtype)
    if top is None:
        return TeacherTargets.without_teacher(row_mask)
    config, (top_ids, logprobs) = terms.config, top
    plain = teacher_outcomes(logprobs, 1.0, config.tail, terms.vocabulary).to(dtype)  # [N, k + 1]
    uncertainty = entropy(plain) / math.log(plain.shape[1])  # [N], between 0 and 1
    temperature = torch.full_like(row_mask, config.temperature)
    if config.entropy_mode == "temperature":
        temperature = 1 + (config.temperature - 1) * (1 - uncertainty)
    teacher_probs = teacher_outcomes(logprobs, temperature[:, None], config.tail, terms.vocabulary).to(dtype)
    has_teacher = row_mask * (teacher_probs.sum(-1) > 0)
    listed = (top_ids == ids[:, None]).to(dtype)  # [N, k]
    at_label = (plain[:, :-1] * listed).sum(-1) + uniform_share(plain, terms.vocabulary) * (1 - listed.sum(-1))
    weight = _entropy_weight(uncertainty, has_teacher, terms)
    return TeacherTargets(
        row_mask=row_mask,
        has_teacher=has_teacher,
        probs=teacher_probs * row_mask[:, None],
        temperature=temperature,
        weight=weight,
        at_label=at_label,
    )


def _entropy_weight(uncertainty: Tensor, has_teacher: Tensor, terms: TokenLoss) -> Tensor:
    """Weights of rows [N], with mean 1 over the batch, from the teacher's normalized entropy [N]."""
    if terms.config.entropy_mode not in ("weight_high", "weight_low"):
        return torch.ones_like(uncertainty)
    raw, mean = uncertainty if terms.config.entropy_mode == "weight_high" else 1 - uncertainty, terms.mean_weight
    if mean is None:
        mean = (raw * has_teacher).sum() / has_teacher.sum().clamp_min(1)
    return raw / mean.clamp_min(1e-6)


def row_losses(
    outcomes: Tensor, label: Tensor, runner_up: Tensor | None, teacher: TeacherTargets, terms: TokenLoss
) -> RowLosses:
    """The objective per row, without the part that is linear in all logits.

    Args:
        outcomes: [N, k + 1] the student's logits of K, and the logsumexp of all others (the bucket).
        label: [N] the student's logit of the label, which may or may not be in K.
        runner_up: [N] the student's highest logit outside K; None if no term needs it.
        teacher: the teacher targets.
        terms: the objective.
    """
    total = outcomes.logsumexp(-1)  # [N]
    nll = total - label
    hard = (1 - terms.smoothing) * nll + terms.smoothing * total
    if not terms.uses_teacher:
        weight = terms.config.ce_weight * teacher.row_mask
        none = torch.zeros_like(nll)
        return RowLosses(loss=weight * hard, nll=nll, distillation=none, label_weight=weight, distillation_weight=none)
    distillation = _distillation_loss(outcomes, teacher, terms) * teacher.has_teacher
    label_weight, distillation_weight = _weights(nll.detach(), teacher, terms)
    rows = RowOutcomes(logits=outcomes, total=total, runner_up=runner_up, teacher=teacher.probs)
    return RowLosses(
        loss=label_weight * hard + distillation_weight * (distillation + _auxiliary_losses(rows, terms.config)),
        nll=nll,
        distillation=distillation,
        label_weight=label_weight,
        distillation_weight=distillation_weight,
    )


def _distillation_loss(outcomes: Tensor, teacher: TeacherTargets, terms: TokenLoss) -> Tensor:
    """T² times the divergence, [N]; under `kl` the cross-entropy, which differs by a constant."""
    config, teacher_probs, temperature = terms.config, teacher.probs, teacher.temperature
    if config.divergence != "kl":
        log_student = torch.log_softmax(outcomes / temperature[:, None], dim=-1)
        return temperature**2 * divergence(config.divergence, log_student, teacher_probs, *parameter_values(config))
    cross_entropy = outcome_cross_entropy(outcomes, teacher_probs, temperature)
    return (
        cross_entropy + uniform_cross_entropy(outcomes, teacher_probs, terms.vocabulary)
        if terms.uniform
        else cross_entropy
    )


def _auxiliary_losses(outcomes: RowOutcomes, config: ObjectiveConfig) -> Tensor:
    """Weighted sum of the other terms within the distillation of a row, [N]."""
    loss = torch.zeros_like(outcomes.total)
    for term in active_terms(config):
        if term.row_loss is not None:
            loss = loss + term.weight(config) * term.row_loss(outcomes)
    return loss


def _weights(nll: Tensor, teacher: TeacherTargets, terms: TokenLoss) -> tuple[Tensor, Tensor]:
    """Weights of label term and distillation term, [N] each, under `token_selection`.

    The distillation term applies at:

    - `batch`, `queue`: the share of positions with the highest cross-entropy, of the batch or of the last updates
      (Wang et al. 2021, selective distillation);
    - `hard_gate`: positions where the student's probability of the label is above the teacher's; elsewhere only the
      label term applies (Lee et al. 2022);
    - `teacher_better`: positions where the teacher's probability of the label is higher (Tan et al. 2019, per token).
    """
    config = terms.config
    label = config.ce_weight * teacher.row_mask
    distillation = config.kd_weight * teacher.has_teacher * teacher.weight
    if config.token_selection == "all":
        return label, distillation
    if config.token_selection in ("batch", "queue"):
        return label, distillation * (nll >= _threshold(nll, teacher.has_teacher, terms))
    surer = nll.neg().exp() > teacher.at_label
    if config.token_selection == "teacher_better":
        return label, distillation * ~surer
    gate = surer & (teacher.has_teacher > 0)
    return label * ~gate, distillation * gate


def _threshold(nll: Tensor, has_teacher: Tensor, terms: TokenLoss) -> Tensor:
    """Minimum cross-entropy of hard tokens, a scalar, from nll [N]."""
    if terms.threshold is not None:
        return terms.threshold.to(nll.dtype)
    teacher_nll = nll[has_teacher > 0]
    return teacher_nll.quantile(1 - terms.config.selection_fraction) if len(teacher_nll) else nll.new_zeros(())
