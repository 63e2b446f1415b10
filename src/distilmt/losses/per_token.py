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
from distilmt.losses.top_k import even_share, outcome_cross_entropy, teacher_outcomes, uniform_cross_entropy


@dataclass(frozen=True)
class Terms:
    """What is asked of the student."""

    config: ObjectiveConfig
    smoothing: float
    vocabulary: int
    """Words are the first so many rows of the output matrix; the others get neither probability nor gradient."""
    words: bool
    """Whether there are words of a teacher, and they have a weight."""
    threshold: Tensor | None = None
    """Cross-entropy from which a position counts as hard (`selection: queue`), if it is known."""
    mean_weight: Tensor | None = None
    """Mean weight by the teacher's entropy as it is at first, if more rows than these are to have mean weight 1."""

    @property
    def uniform(self) -> bool:
        """Whether the mass outside the teacher's top words is to be shared out evenly."""
        return self.words and self.config.tail == "uniform"

    @property
    def ranked(self) -> bool:
        """Whether the likeliest of the other words must be known."""
        return self.words and self.config.ranking > 0


class Known(NamedTuple):
    """What is known of the rows before the student is looked at; all of [N] but `masses`."""

    keep: Tensor
    """1 where the row counts, else 0."""
    asked: Tensor
    """1 where the teacher's words are known and the row counts, else 0."""
    masses: Tensor
    """[N, k + 1] softened probabilities of the teacher's outcomes; [N, 0] without a teacher."""
    temperature: Tensor
    """By which both sides are softened."""
    weight: Tensor
    """Of the word term, by the teacher's entropy."""
    at_label: Tensor
    """The teacher's probability of the label, not softened."""

    def rows(self, chosen: slice) -> Known:
        """Some of the rows."""
        return Known(*(values[chosen] for values in self))


class RowLosses(NamedTuple):
    """Losses of rows, [N] each, less their part that is linear in all logits; and weights without gradients."""

    loss: Tensor
    nll: Tensor
    """Cross-entropy against the label."""
    word: Tensor
    """The word term alone: cross-entropy under `kl`, else the divergence."""
    label_weight: Tensor
    word_weight: Tensor


def teacher_side(ids: Tensor, top: tuple[Tensor, Tensor] | None, terms: Terms, dtype: torch.dtype) -> Known:
    """What is known of rows from their labels alone.

    Args:
        ids: [N] words; a negative one makes its row count for nothing.
        top: the teacher's words and their log-probabilities, [N, k] each, if they are used.
        terms: what is asked of the student.
        dtype: float32 at least.
    """
    keep = (ids >= 0).to(dtype)
    one = torch.ones_like(keep)
    if top is None:
        return Known(keep, keep * 0, keep[:, None][:, :0], one, one, keep * 0)
    config, (top_ids, logprobs) = terms.config, top
    plain = teacher_outcomes(logprobs, 1.0, config.tail, terms.vocabulary).to(dtype)
    uncertainty = _entropy(plain) / math.log(plain.shape[1])
    temperature = one * config.temperature
    if config.entropy == "temperature":
        temperature = 1 + (config.temperature - 1) * (1 - uncertainty)
    masses = teacher_outcomes(logprobs, temperature[:, None], config.tail, terms.vocabulary).to(dtype)
    asked = keep * (masses.sum(-1) > 0)
    listed = (top_ids == ids[:, None]).to(dtype)
    at_label = (plain[:, :-1] * listed).sum(-1) + even_share(plain, terms.vocabulary) * (1 - listed.sum(-1))
    weight = _entropy_weight(uncertainty, asked, terms)
    return Known(keep, asked, masses * keep[:, None], temperature, weight, at_label)


def _entropy_weight(uncertainty: Tensor, asked: Tensor, terms: Terms) -> Tensor:
    """Weights of rows with mean 1 over the batch, by the teacher's entropy between 0 and 1."""
    if terms.config.entropy not in ("weight_high", "weight_low"):
        return torch.ones_like(uncertainty)
    raw, mean = uncertainty if terms.config.entropy == "weight_high" else 1 - uncertainty, terms.mean_weight
    if mean is None:
        mean = (raw * asked).sum() / asked.sum().clamp_min(1)
    return raw / mean.clamp_min(1e-6)


def row_losses(outcomes: Tensor, label: Tensor, other: Tensor | None, known: Known, terms: Terms) -> RowLosses:
    """The objective, but for what is linear in all logits.

    Args:
        outcomes: [N, k + 1] the student's logits of K, and of the bucket the logsumexp of the others'.
        label: [N] its logit of the label, which may or may not be in K.
        other: [N] its likeliest logit outside K, where a ranking is asked for.
        known: the teacher's side.
        terms: what is asked.
    """
    total = outcomes.logsumexp(-1)
    nll = total - label
    hard = (1 - terms.smoothing) * nll + terms.smoothing * total
    if not terms.words:
        weight = terms.config.label * known.keep
        return RowLosses(weight * hard, nll, torch.zeros_like(nll), weight, torch.zeros_like(nll))
    word = _word(outcomes, known, terms) * known.asked
    label_weight, word_weight = _weights(nll.detach(), known, terms)
    loss = label_weight * hard + word_weight * (word + _beside(outcomes, total, other, known, terms))
    return RowLosses(loss, nll, word, label_weight, word_weight)


def _word(outcomes: Tensor, known: Known, terms: Terms) -> Tensor:
    """T² times the divergence, or under `kl` the cross-entropy, which differs by a constant."""
    config, masses, temperature = terms.config, known.masses, known.temperature
    if config.divergence != "kl":
        log_student = torch.log_softmax(outcomes / temperature[:, None], dim=-1)
        return temperature**2 * divergence(config.divergence, log_student, masses, config.skew)
    found = outcome_cross_entropy(outcomes, masses, temperature)
    return found + uniform_cross_entropy(outcomes, masses, terms.vocabulary) if terms.uniform else found


def _beside(outcomes: Tensor, total: Tensor, other: Tensor | None, known: Known, terms: Terms) -> Tensor:
    """What the word term has beside the divergence: the entropy's reward and the ranking."""
    found, config = torch.zeros_like(total), terms.config
    if config.entropy == "penalty":
        found = found - config.entropy_weight * _entropy((outcomes - total[:, None]).exp())
    if other is not None:
        probabilities = (outcomes[:, :-1] - total[:, None]).exp()
        found = found + config.ranking * ranking(probabilities, (other - total).exp(), known.masses[:, :-1])
    return found


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


def _weights(nll: Tensor, known: Known, terms: Terms) -> tuple[Tensor, Tensor]:
    """Weights of label and word term, by which positions the teacher's words are to be learnt at.

    - `batch`, `queue`: at the share with the highest cross-entropy, of the batch or of the last so many positions
      (Wang et al. 2021, selective distillation);
    - `hard_gate`: where the student is surer of the label than the teacher; elsewhere only the label is learnt (Lee et
      al. 2022);
    - `teacher_better`: where the teacher is surer of the label (Tan et al. 2019, by position).
    """
    config = terms.config
    label, word = config.label * known.keep, config.word * known.asked * known.weight
    if config.selection == "all":
        return label, word
    if config.selection in ("batch", "queue"):
        return label, word * (nll >= _threshold(nll, known.asked, terms))
    surer = nll.neg().exp() > known.at_label
    if config.selection == "teacher_better":
        return label, word * ~surer
    gate = surer & (known.asked > 0)
    return label * ~gate, word * gate


def _threshold(nll: Tensor, asked: Tensor, terms: Terms) -> Tensor:
    if terms.threshold is not None:
        return terms.threshold.to(nll.dtype)
    those = nll[asked > 0]
    return those.quantile(1 - terms.config.selection_share) if len(those) else nll.new_zeros(())


def _entropy(probabilities: Tensor) -> Tensor:
    return -torch.xlogy(probabilities, probabilities).sum(-1)
