"""The student's objective: a weighted sum of word-level and label cross-entropies, plain and fast.

`objective` is the definition. `chunked_loss` computes the same from hidden states without ever holding all logits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from distilmt.config import ObjectiveConfig
from distilmt.losses.chunked import ChunkedLoss
from distilmt.losses.divergences import widened
from distilmt.losses.per_token import LossTerms, TeacherTargets, row_losses, teacher_targets
from distilmt.losses.top_k import NEG_INF, outcome_entropy, student_outcomes, uniform_share

_LOGITS, _ROWS = 1 << 24, 128


@dataclass
class TokenTargets:
    """What the rows of hidden states should predict.

    A row whose id is negative is left out altogether; a row whose `top_logprobs` are all -inf has no word labels,
    only its id.
    """

    ids: Tensor
    """[N] int64: the words of the sequence."""
    top_ids: Tensor | None = None
    """[N, k] int64 or int32: the teacher's likeliest words, likeliest first, distinct in a row and below V."""
    top_logprobs: Tensor | None = None
    """[N, k] float: their log-probabilities."""


class LossSettings(NamedTuple):
    """How the terms are weighted."""

    objective: ObjectiveConfig
    smoothing: float = 0.0
    """Share of the label's probability spread over the vocabulary; the teacher's words are never smoothed."""
    threshold: Tensor | None = None
    """Cross-entropy from which a position is hard, under `selection: queue`; without it the batch alone tells."""
    mean_weight: Tensor | None = None
    """Mean by which weights are divided under `entropy: weight_high` or `weight_low`; without it the targets' own."""


def anneal_teacher(objective: ObjectiveConfig, progress: float) -> ObjectiveConfig:
    """The weights at `progress` through the training (0 to 1), if they change at all.

    Teacher annealing (Clark et al. 2019, BAM, section 3.1): the weight of the teacher's words falls linearly to zero,
    and what it loses goes to the label, so that a student can leave a teacher behind that is little better than it.
    """
    if not objective.teacher_annealing:
        return objective
    word = objective.kd_weight * max(0.0, 1.0 - progress)
    return replace(objective, kd_weight=word, ce_weight=objective.ce_weight + objective.kd_weight - word)


@dataclass
class Statistics:
    """Sums over rows, without weights or gradients; divided by the rows they are means per target token."""

    nll: Tensor
    """Cross-entropy against the ids, never smoothed."""
    word: Tensor
    """Cross-entropy against the teacher's words, or another divergence from it; zero where there is no such term."""
    entropy: Tensor
    """The teacher's entropy: `word - entropy` is the divergence. Zero where `word` is one already."""
    rows: Tensor
    """[N]: the cross-entropy against the ids, row by row."""


def reference_loss(student_logits: Tensor, targets: TokenTargets, settings: LossSettings) -> Tensor:
    """The objective of every row, [N], from logits [N, V]: the definition, for tests and for reading.

    Raises:
        ValueError: the objective wants words and the targets have none.
    """
    logits = widened(student_logits)
    terms, top = _loss_terms(targets, settings, logits.shape[1])
    teacher = teacher_targets(targets.ids, top, terms, logits.dtype)
    labels = targets.ids.clamp_min(0).long()[:, None]
    ids = labels if top is None else top[0]
    other = logits.scatter(1, ids, NEG_INF).amax(1) if terms.ranked else None
    losses = row_losses(student_outcomes(logits, ids), logits.gather(1, labels).squeeze(1), other, teacher, terms)
    even = losses.label_weight * terms.smoothing / terms.vocabulary
    if terms.uniform:
        even = even + losses.word_weight * uniform_share(teacher.probs, terms.vocabulary)
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
    """Sum over rows of `objective(hidden @ weight.T + bias, …)`, with gradients, a chunk of rows at a time.

    Under `selection: batch` the hardest rows are chosen chunk by chunk.

    Args:
        hidden: [N, d] the decoder's last states; bf16, float32 or float64. Rows behind those count for nothing.
        weight: [V, d] the output projection, of the same dtype.
        bias: [V], or None.
        targets: what each row should predict.
        settings: the objective's configuration and the label smoothing.
        chunk: rows whose logits are held at a time; by default about as many as make up 16 million logits.
        vocabulary: V, if the weight has rows behind that are no words: they get neither probability nor gradient.

    Returns:
        The sum (divide by the target tokens of the whole batch) and the statistics. Only first derivatives.

    Raises:
        ValueError: the objective wants words and the targets have none.
    """
    rows = len(targets.ids)
    targets = _pad_targets(targets, len(hidden))
    terms, top = _loss_terms(targets, settings, len(weight) if vocabulary is None else vocabulary)
    teacher = teacher_targets(targets.ids, top, terms, torch.promote_types(hidden.dtype, torch.float32))
    top_ids = targets.ids.clamp_min(0)[:, None] if top is None else top[0]
    chunk = chunk or _even_chunk(len(hidden), len(weight))
    loss, nll, word = ChunkedLoss.apply(hidden, weight, bias, targets.ids, top_ids, teacher, terms, chunk)
    return loss, Statistics(nll.sum(), word.sum(), _teachers_entropy(teacher, terms), nll[:rows])


def weights_by_entropy(targets: TokenTargets, settings: LossSettings, vocabulary: int) -> Tensor:
    """Weights of rows by the teacher's entropy, summed, and how many rows have one: [2] float32.

    Added up over all parts of a batch, their ratio is what each part needs as `LossSettings.mean_weight`.
    """
    one = torch.ones((), device=targets.ids.device)
    terms, top = _loss_terms(targets, settings._replace(mean_weight=one), vocabulary)
    teacher = teacher_targets(targets.ids, top, terms, torch.float32)
    return torch.stack([(teacher.weight * teacher.has_teacher).sum(), teacher.has_teacher.sum()])


def _loss_terms(
    targets: TokenTargets, settings: LossSettings, vocabulary: int
) -> tuple[LossTerms, tuple[Tensor, Tensor] | None]:
    """The terms, and the teacher's words as far as they are used."""
    config = settings.objective
    top = None
    if config.kd_weight != 0:
        if targets.top_ids is None or targets.top_logprobs is None:
            raise ValueError("the objective's word weight is above 0, but the targets hold no words of the teacher")
        top = targets.top_ids[:, : config.top_k].long(), targets.top_logprobs[:, : config.top_k]
    return LossTerms(config, settings.smoothing, vocabulary, top is not None, *settings[2:]), top


def _teachers_entropy(teacher: TeacherTargets, terms: LossTerms) -> Tensor:
    """What the word terms come to when the student does as it is told, summed."""
    if not terms.uses_teacher or terms.config.divergence != "kl":
        return torch.zeros_like(teacher.row_mask).sum()
    return outcome_entropy(teacher.probs, teacher.temperature, terms.config.tail, terms.vocabulary).sum()


def _even_chunk(rows: int, vocabulary: int) -> int:
    """Rows of a chunk: chunks of one size, the last one no smaller than it must be, in multiples of 128."""
    chunks = -(-rows * vocabulary // _LOGITS)
    return max(1, -(-rows // (max(1, chunks) * _ROWS))) * _ROWS


def _pad_targets(targets: TokenTargets, rows: int) -> TokenTargets:
    """Targets for so many rows: those behind the others count for nothing."""
    more = rows - len(targets.ids)
    if not more:
        return targets
    words = (targets.top_ids, targets.top_logprobs)
    top = [None if t is None else torch.cat([t, t[:1].expand(more, -1)]) for t in words]
    return TokenTargets(F.pad(targets.ids, (0, more), value=-1), *top)
