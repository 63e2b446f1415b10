"""The objective of every position ("row"), from the few numbers of its logits that it depends on.

Write the vocabulary as K, the teacher's top words (without a teacher just the label), and all others, the bucket. But
for a part that is linear in all logits (label smoothing, an even tail), everything a student can be told here depends
on its logits only through those of K, the bucket's logsumexp, the label's own and the likeliest of the others. So all
terms are plain functions of a few columns, and automatic differentiation of these is cheap; `chunked` carries the
gradients on to the vocabulary.
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
    """What is asked of the student."""

    config: ObjectiveConfig
    smoothing: float
    vocabulary: int
    """Words are the first so many rows of the output matrix; the others get neither probability nor gradient."""
    uses_teacher: bool
    """Whether there are words of a teacher, and they have a weight."""
    threshold: Tensor | None = None
    """Cross-entropy from which a position counts as hard (`selection: queue`), if it is known."""
    mean_weight: Tensor | None = None
    """Mean weight by the teacher's entropy as it is at first, if more rows than these are to have mean weight 1."""

    @property
    def uniform(self) -> bool:
        """Whether the mass outside the teacher's top words is to be shared out evenly."""
        return self.uses_teacher and self.config.tail == "uniform"

    @property
    def ranked(self) -> bool:
        """Whether the likeliest of the other words must be known."""
        return self.uses_teacher and self.config.ranking_weight > 0


class TeacherTargets(NamedTuple):
    """What is known of the rows before the student is looked at; all of [N] but `probs`."""

    row_mask: Tensor
    """1 where the row counts, else 0."""
    has_teacher: Tensor
    """1 where the teacher's words are known and the row counts, else 0."""
    probs: Tensor
    """[N, k + 1] softened probabilities of the teacher's outcomes; [N, 0] without a teacher."""
    temperature: Tensor
    """By which both sides are softened."""
    weight: Tensor
    """Of the word term, by the teacher's entropy."""
    at_label: Tensor
    """The teacher's probability of the label, not softened."""

    def rows(self, chosen: slice) -> TeacherTargets:
        """Some of the rows."""
        return TeacherTargets(*(values[chosen] for values in self))


class RowLosses(NamedTuple):
    """Losses of rows, [N] each, less their part that is linear in all logits; and weights without gradients."""

    loss: Tensor
    nll: Tensor
    """Cross-entropy against the label."""
    word: Tensor
    """The word term alone: cross-entropy under `kl`, else the divergence."""
    label_weight: Tensor
    word_weight: Tensor


def teacher_targets(
    ids: Tensor, top: tuple[Tensor, Tensor] | None, terms: LossTerms, dtype: torch.dtype
) -> TeacherTargets:
    """What is known of rows from their labels alone.

    Args:
        ids: [N] words; a negative one makes its row count for nothing.
        top: the teacher's words and their log-probabilities, [N, k] each, if they are used.
        terms: what is asked of the student.
        dtype: float32 at least.
    """
    row_mask = (ids >= 0).to(dtype)
    one = torch.ones_like(row_mask)
    if top is None:
        return TeacherTargets(row_mask, row_mask * 0, row_mask[:, None][:, :0], one, one, row_mask * 0)
    config, (top_ids, logprobs) = terms.config, top
    plain = teacher_outcomes(logprobs, 1.0, config.tail, terms.vocabulary).to(dtype)
    uncertainty = _entropy(plain) / math.log(plain.shape[1])
    temperature = one * config.temperature
    if config.entropy_mode == "temperature":
        temperature = 1 + (config.temperature - 1) * (1 - uncertainty)
    teacher_probs = teacher_outcomes(logprobs, temperature[:, None], config.tail, terms.vocabulary).to(dtype)
    has_teacher = row_mask * (teacher_probs.sum(-1) > 0)
    listed = (top_ids == ids[:, None]).to(dtype)
    at_label = (plain[:, :-1] * listed).sum(-1) + uniform_share(plain, terms.vocabulary) * (1 - listed.sum(-1))
    weight = _entropy_weight(uncertainty, has_teacher, terms)
    return TeacherTargets(row_mask, has_teacher, teacher_probs * row_mask[:, None], temperature, weight, at_label)


def _entropy_weight(uncertainty: Tensor, has_teacher: Tensor, terms: LossTerms) -> Tensor:
    """Weights of rows with mean 1 over the batch, by the teacher's entropy between 0 and 1."""
    if terms.config.entropy_mode not in ("weight_high", "weight_low"):
        return torch.ones_like(uncertainty)
    raw, mean = uncertainty if terms.config.entropy_mode == "weight_high" else 1 - uncertainty, terms.mean_weight
    if mean is None:
        mean = (raw * has_teacher).sum() / has_teacher.sum().clamp_min(1)
    return raw / mean.clamp_min(1e-6)


def row_losses(
    outcomes: Tensor, label: Tensor, other: Tensor | None, teacher: TeacherTargets, terms: LossTerms
) -> RowLosses:
    """The objective, but for what is linear in all logits.

    Args:
        outcomes: [N, k + 1] the student's logits of K, and of the bucket the logsumexp of the others'.
        label: [N] its logit of the label, which may or may not be in K.
        other: [N] its likeliest logit outside K, where a ranking is asked for.
        teacher: the teacher's side.
        terms: what is asked.
    """
    total = outcomes.logsumexp(-1)
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
    """T² times the divergence, or under `kl` the cross-entropy, which differs by a constant."""
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
    """What the word term has beside the divergence: the entropy's reward and the ranking."""
    loss, config = torch.zeros_like(total), terms.config
    if config.entropy_mode == "penalty":
        loss = loss - config.entropy_weight * _entropy((outcomes - total[:, None]).exp())
    if other is not None:
        probabilities = (outcomes[:, :-1] - total[:, None]).exp()
        loss = loss + config.ranking_weight * ranking(probabilities, (other - total).exp(), teacher.probs[:, :-1])
    return loss


def ranking(student: Tensor, other: Tensor, teacher: Tensor) -> Tensor:
    """How far the student's words are out of the teacher's order, [N] (after TIE-KD: Zhang et al. 2023).

    A hinge on probabilities: the teacher's likeliest word before its other top words; of two top words the one the
    teacher prefers before the other; and all top words before any other. In the paper the last compares with all of
    the student's own top k; here with the likeliest other word alone.

    Args:
        student: [N, k] probabilities of the teacher's top words, the teacher's likeliest first.
        other: [N] probability of the student's likeliest word beside them.
        teacher: [N, k] the teacher's.
    """
    first = (student - student[:, :1]).relu().sum(-1)
    preferred = teacher[:, :, None] > teacher[:, None, :]
    pairs = ((student[:, None, :] - student[:, :, None]).relu() * preferred).sum((1, 2))
    return first + pairs + (other[:, None] - student).relu().sum(-1)


def _weights(nll: Tensor, teacher: TeacherTargets, terms: LossTerms) -> tuple[Tensor, Tensor]:
    """Weights of label and word term, by which positions the teacher's words are to be learnt at.

    - `batch`, `queue`: at the share with the highest cross-entropy, of the batch or of the last so many positions
      (Wang et al. 2021, selective distillation);
    - `hard_gate`: where the student is surer of the label than the teacher; elsewhere only the label is learnt (Lee et
      al. 2022);
    - `teacher_better`: where the teacher is surer of the label (Tan et al. 2019, by position).
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
    if terms.threshold is not None:
        return terms.threshold.to(nll.dtype)
    teacher_nll = nll[has_teacher > 0]
    return teacher_nll.quantile(1 - terms.config.selection_fraction) if len(teacher_nll) else nll.new_zeros(())


def _entropy(probabilities: Tensor) -> Tensor:
    return -torch.xlogy(probabilities, probabilities).sum(-1)
