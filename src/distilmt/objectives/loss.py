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
from distilmt.objectives.chunked import ChunkedLoss, Terms
from distilmt.objectives.hard import label_cross_entropy
from distilmt.objectives.sparse import outcome_entropy, teacher_outcomes, word_cross_entropy

_LOGITS, _ROWS = 1 << 24, 128


@dataclass
class Targets:
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


def annealed(objective: ObjectiveConfig, progress: float) -> ObjectiveConfig:
    """The weights at `progress` through the training (0 to 1), if they change at all.

    Teacher annealing (Clark et al. 2019, BAM, section 3.1): the weight of the teacher's words falls linearly to zero,
    and what it loses goes to the label, so that a student can leave a teacher behind that is little better than it.
    """
    if not objective.annealing:
        return objective
    word = objective.word * max(0.0, 1.0 - progress)
    return replace(objective, word=word, label=objective.label + objective.word - word)


@dataclass
class Statistics:
    """Sums over rows, without weights or gradients; divided by the rows they are means per target token."""

    nll: Tensor
    """Cross-entropy against the ids, never smoothed."""
    word: Tensor
    """Cross-entropy against the teacher's words; zero where the objective has no such term."""
    entropy: Tensor
    """The teacher's entropy: `word - entropy` is the divergence."""


def objective(
    student_logits: Tensor, targets: Targets, settings: LossSettings | tuple[ObjectiveConfig, float]
) -> Tensor:
    """The objective of every row, [N], from logits [N, V]: the definition, for tests and for reading.

    Raises:
        ValueError: the objective wants words and the targets have none.
    """
    config, smoothing = settings
    keep = targets.ids >= 0
    loss = config.label * label_cross_entropy(student_logits, targets.ids.clamp_min(0), smoothing)
    top = _top(targets, config)
    if top is not None:
        word = word_cross_entropy(student_logits, *top, config.temperature, config.tail)
        loss = loss + config.word * word
    return torch.where(keep, loss, 0)


def chunked_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Targets,
    settings: LossSettings | tuple[ObjectiveConfig, float],
    chunk: int | None = None,
    vocabulary: int | None = None,
) -> tuple[Tensor, Statistics]:
    """Sum over rows of `objective(hidden @ weight.T + bias, …)`, with gradients, a chunk of rows at a time.

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
    config, smoothing = settings
    vocabulary = len(weight) if vocabulary is None else vocabulary
    chunk = chunk or _even_chunk(len(hidden), len(weight))
    targets = _filled(targets, len(hidden))
    top = _top(targets, config)
    word, uniform = config.word if top else 0.0, config.tail == "uniform"
    terms = Terms(config.label, word, config.temperature, smoothing, uniform, vocabulary)
    if top is None:
        outcomes, masses = targets.ids.clamp_min(0)[:, None], None
        entropy = torch.zeros((), device=hidden.device)
    else:
        masses = teacher_outcomes(top[1], config.temperature, config.tail, vocabulary)
        masses = torch.where((targets.ids >= 0)[:, None], masses, 0)
        outcomes = top[0]
        entropy = outcome_entropy(masses, config.temperature, config.tail, vocabulary).sum()
    loss, nll, word = ChunkedLoss.apply(hidden, weight, bias, targets.ids, outcomes, masses, terms, chunk)
    return loss, Statistics(nll, word, entropy)


def _even_chunk(rows: int, vocabulary: int) -> int:
    """Rows of a chunk: chunks of one size, the last one no smaller than it must be, in multiples of 128."""
    chunks = -(-rows * vocabulary // _LOGITS)
    return max(1, -(-rows // (max(1, chunks) * _ROWS))) * _ROWS


def _filled(targets: Targets, rows: int) -> Targets:
    """Targets for so many rows: those behind the others count for nothing."""
    more = rows - len(targets.ids)
    if not more:
        return targets
    words = (targets.top_ids, targets.top_logprobs)
    top = [None if t is None else torch.cat([t, t[:1].expand(more, -1)]) for t in words]
    return Targets(F.pad(targets.ids, (0, more), value=-1), *top)


def _top(targets: Targets, config: ObjectiveConfig) -> tuple[Tensor, Tensor] | None:
    """The teacher's words as far as the objective uses them."""
    if config.word == 0:
        return None
    if targets.top_ids is None or targets.top_logprobs is None:
        raise ValueError("the objective's word weight is above 0, but the targets hold no words of the teacher")
    return targets.top_ids[:, : config.top_k].long(), targets.top_logprobs[:, : config.top_k]
