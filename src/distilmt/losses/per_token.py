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
from typing import NamedTuple

import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig
from distilmt.losses.divergences import divergence
from distilmt.losses.top_k import outcome_cross_entropy, teacher_outcomes, uniform_cross_entropy, uniform_share


@dataclass(frozen=True)
class LossTerms:
    """The terms of the objective and their settings."""

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
    def ranked(self) -> bool:
        """Whether the ranking loss needs the highest logit outside K."""
        return self.uses_teacher and self.config.ranking_weight > 0


class TeacherTargets(NamedTuple):
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

    def rows(self, chosen: slice) -> TeacherTargets:
        """The targets of some of the rows."""
        return TeacherTargets(*(values[chosen] for values in self))


class RowLosses(NamedTuple):
    """Losses of rows, [N] each, without the part that is linear in all logits."""

    loss: Tensor
    nll: Tensor
    """Cross-entropy against the label."""
    word: Tensor
    """The distillation term, unweighted: cross-entropy under `kl`, else the divergence."""
    label_weight: Tensor
    """Weight of the label term, without gradients."""
    word_weight: Tensor
    """Weight of the distillation term, without gradients."""


def teacher_targets(
    ids: Tensor, top: tuple[Tensor, Tensor] | None, terms: LossTerms, dtype: torch.dtype
) -> TeacherTargets:
    """The targets of the rows that do not depend on the student.

    Args:
        ids: [N] labels; a row with a negative label is ignored.
        top: the teacher's top-k tokens and their log-probabilities, [N, k] each; None if they are not used.
        terms: the objective.
        dtype: at least float32.
    """
    row_mask = (ids >= 0).to(dtype)
    one = torch.ones_like(row_mask)
    if top is None:
        return TeacherTargets(row_mask, row_mask * 0, row_mask[:, None][:, :0], one, one, row_mask * 0)
    config, (top_ids, logprobs) = terms.config, top
    plain = teacher_outcomes(logprobs, 1.0, config.tail, terms.vocabulary).to(dtype)  # [N, k + 1]
    uncertainty = _entropy(plain) / math.log(plain.shape[1])  # [N], between 0 and 1
    temperature = one * config.temperature
    if config.entropy_mode == "temperature":
        temperature = 1 + (config.temperature - 1) * (1 - uncertainty)
    teacher_probs = teacher_outcomes(logprobs, temperature[:, None], config.tail, terms.vocabulary).to(dtype)
    has_teacher = row_mask * (teacher_probs.sum(-1) > 0)
    listed = (top_ids == ids[:, None]).to(dtype)  # [N, k]
    at_label = (plain[:, :-1] * listed).sum(-1) + uniform_share(plain, terms.vocabulary) * (1 - listed.sum(-1))
    weight = _entropy_weight(uncertainty, has_teacher, terms)
    return TeacherTargets(row_mask, has_teacher, teacher_probs * row_mask[:, None], temperature, weight, at_label)


def _entropy_weight(uncertainty: Tensor, has_teacher: Tensor, terms: LossTerms) -> Tensor:
    """Weights of rows [N], with mean 1 over the batch, from the teacher's normalized entropy [N]."""
    if terms.config.entropy_mode not in ("weight_high", "weight_low"):
        return torch.ones_like(uncertainty)
    raw, mean = uncertainty if terms.config.entropy_mode == "weight_high" else 1 - uncertainty, terms.mean_weight
    if mean is None:
        mean = (raw * has_teacher).sum() / has_teacher.sum().clamp_min(1)
    return raw / mean.clamp_min(1e-6)


def row_losses(
    outcomes: Tensor, label: Tensor, other: Tensor | None, teacher: TeacherTargets, terms: LossTerms
) -> RowLosses:
    """The objective per row, without the part that is linear in all logits.

    Args:
        outcomes: [N, k + 1] the student's logits of K, and the logsumexp of all others (the bucket).
        label: [N] the student's logit of the label, which may or may not be in K.
        other: [N] the student's highest logit outside K, for the ranking loss; else None.
        teacher: the teacher targets.
        terms: the objective.
    """
    total = outcomes.logsumexp(-1)  # [N]
    nll = total - label
    hard = (1 - terms.smoothing) * nll + terms.smoothing * total
    if not terms.uses_teacher:
        weight = terms.config.ce_weight * teacher.row_mask
        return RowLosses(weight * hard, nll, torch.zeros_like(nll), weight, torch.zeros_like(nll))
    word = _distillation_loss(outcomes, teacher, terms) * teacher.has_teacher
    label_weight, word_weight = _weights(nll.detach(), teacher, terms)
    loss = label_weight * hard + word_weight * (word + _auxiliary_losses(outcomes, total, other, teacher, terms))
    return RowLosses(loss, nll, word, label_weight, word_weight)


def _distillation_loss(outcomes: Tensor, teacher: TeacherTargets, terms: LossTerms) -> Tensor:
    """T² times the divergence, [N]; under `kl` the cross-entropy, which differs by a constant."""
    config, teacher_probs, temperature = terms.config, teacher.probs, teacher.temperature
    if config.divergence != "kl":
        log_student = torch.log_softmax(outcomes / temperature[:, None], dim=-1)
        return temperature**2 * divergence(config.divergence, log_student, teacher_probs, config.skew_alpha)
    cross_entropy = outcome_cross_entropy(outcomes, teacher_probs, temperature)
    return (
        cross_entropy + uniform_cross_entropy(outcomes, teacher_probs, terms.vocabulary)
        if terms.uniform
        else cross_entropy
    )


def _auxiliary_losses(
    outcomes: Tensor, total: Tensor, other: Tensor | None, teacher: TeacherTargets, terms: LossTerms
) -> Tensor:
    """Other parts of the distillation term, [N]: the reward of the student's entropy, and the ranking loss."""
    loss, config = torch.zeros_like(total), terms.config
    if config.entropy_mode == "penalty":
        loss = loss - config.entropy_weight * _entropy((outcomes - total[:, None]).exp())
    if other is not None:
        probabilities = (outcomes[:, :-1] - total[:, None]).exp()
        loss = loss + config.ranking_weight * ranking(probabilities, (other - total).exp(), teacher.probs[:, :-1])
    return loss


def ranking(student: Tensor, other: Tensor, teacher: Tensor) -> Tensor:
    """Ranking loss: the student should rank tokens like the teacher, [N] (after TIE-KD: Zhang et al. 2023).

    A hinge on probabilities with three parts: the teacher's most likely token ranks above its other top-k tokens; of
    two top-k tokens, the one that the teacher prefers ranks above the other; all top-k tokens rank above the rest. For
    the last part, the paper uses all of the student's own top k; here it is only the student's most likely other token.

    Args:
        student: [N, k] the student's probabilities of the teacher's top-k tokens, in the teacher's order.
        other: [N] probability of the student's most likely token outside the teacher's top k.
        teacher: [N, k] the teacher's probabilities.
    """
    first = (student - student[:, :1]).relu().sum(-1)
    preferred = teacher[:, :, None] > teacher[:, None, :]  # [N, k, k]
    pairs = ((student[:, None, :] - student[:, :, None]).relu() * preferred).sum((1, 2))
    return first + pairs + (other[:, None] - student).relu().sum(-1)


def _weights(nll: Tensor, teacher: TeacherTargets, terms: LossTerms) -> tuple[Tensor, Tensor]:
    """Weights of label term and distillation term, [N] each, under `token_selection`.

    The distillation term applies at:

    - `batch`, `queue`: the share of positions with the highest cross-entropy, of the batch or of the last updates
      (Wang et al. 2021, selective distillation);
    - `hard_gate`: positions where the student's probability of the label is above the teacher's; elsewhere only the
      label term applies (Lee et al. 2022);
    - `teacher_better`: positions where the teacher's probability of the label is higher (Tan et al. 2019, per token).
    """
    config = terms.config
    label, word = config.ce_weight * teacher.row_mask, config.kd_weight * teacher.has_teacher * teacher.weight
    if config.token_selection == "all":
        return label, word
    if config.token_selection in ("batch", "queue"):
        return label, word * (nll >= _threshold(nll, teacher.has_teacher, terms))
    surer = nll.neg().exp() > teacher.at_label
    if config.token_selection == "teacher_better":
        return label, word * ~surer
    gate = surer & (teacher.has_teacher > 0)
    return label * ~gate, word * gate


def _threshold(nll: Tensor, has_teacher: Tensor, terms: LossTerms) -> Tensor:
    """Minimum cross-entropy of hard tokens, a scalar, from nll [N]."""
    if terms.threshold is not None:
        return terms.threshold.to(nll.dtype)
    teacher_nll = nll[has_teacher > 0]
    return teacher_nll.quantile(1 - terms.config.selection_fraction) if len(teacher_nll) else nll.new_zeros(())


def _entropy(probabilities: Tensor) -> Tensor:
    """Entropy of rows [N, n] in nats, [N]."""
    return -torch.xlogy(probabilities, probabilities).sum(-1)
