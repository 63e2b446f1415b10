"""Word-level distillation from the teacher's k likeliest words (Kim & Rush 2016, equation 5, cut to the top k).

Both sides are looked at through the same k + 1 outcomes: each of the teacher's top words, and "any other word", the
bucket. The student's bucket holds all the mass it gives to other words. A temperature softens these outcomes, on both
sides and after the bucketing, because the shape of the teacher's tail is not known: only so is the loss of a
distribution against itself zero at every temperature. With T = 1, or k = V, that is the usual softening.

What becomes of the teacher's bucket (`tail`):

- `bucket`: it counts like any outcome (the k+1 bucket of DistillKit's `missing_probability.py`), and how the student
  shares it out among the other words is left to the student;
- `uniform`: it counts like any outcome, and is to be shared out evenly, as label smoothing does;
- `renormalize`: its mass is spread over the top words in proportion, the student's stays over the whole vocabulary;
- `zero`: its term is left out, the top words keep their mass.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from distilmt.losses.divergences import widened

Tail = Literal["bucket", "uniform", "renormalize", "zero"]

NEG_INF = -1e30
"""Stands in for the logit -inf: its probability is zero, and no arithmetic on it makes a NaN."""


def teacher_outcomes(top_logprobs: Tensor, temperature: float | Tensor, tail: Tail, vocabulary: int) -> Tensor:
    """The teacher's target masses.

    Args:
        top_logprobs: [N, k] natural logarithms of probabilities under T = 1. A row of nothing but -inf has no word
            labels; its masses are all zero, and so is its loss.
        temperature: softens the k + 1 outcomes; one for all rows, or [N, 1].
        tail: what becomes of the bucket.
        vocabulary: V; where the top words are the whole vocabulary, the bucket is empty whatever rounding says.

    Returns:
        [N, k + 1], the bucket last. Rows sum to one, or to less under `zero`.
    """
    logs = widened(top_logprobs)
    outside = torch.log((1 - logs.exp().sum(-1, keepdim=True)).clamp_min(0))
    if tail == "renormalize" or logs.shape[1] >= vocabulary:
        outside = torch.full_like(outside, -torch.inf)
    teacher_probs = torch.softmax(torch.cat([logs, outside], dim=-1) / temperature, dim=-1)
    if tail == "zero":
        teacher_probs[:, -1] = 0
    has_teacher = torch.isfinite(logs).any(-1, keepdim=True)
    return torch.where(has_teacher, teacher_probs, 0)


def student_outcomes(student_logits: Tensor, top_ids: Tensor) -> Tensor:
    """Logits of the student's k + 1 outcomes, [N, k + 1], from [N, V] and the distinct words [N, k]."""
    logits = widened(student_logits)
    top_ids = top_ids.long()
    others = logits.scatter(1, top_ids, NEG_INF).logsumexp(-1, keepdim=True)
    return torch.cat([logits.gather(1, top_ids), others], dim=-1)


def top_k_cross_entropy(
    student_logits: Tensor, top_ids: Tensor, top_logprobs: Tensor, temperature: float = 1.0, tail: Tail = "bucket"
) -> Tensor:
    """Cross-entropy from the teacher's top k to the student, T² · (−Σ_i q_i log p_i) over the k + 1 outcomes.

    Args:
        student_logits: [N, V].
        top_ids: [N, k] distinct words.
        top_logprobs: [N, k] the teacher's log-probabilities of them.
        temperature: softens both sides.
        tail: what becomes of the mass outside the top k.

    Returns:
        Nats per row, [N], in float32 at least.
    """
    teacher_probs = teacher_outcomes(top_logprobs, temperature, tail, student_logits.shape[1])
    outcomes = student_outcomes(student_logits, top_ids)
    loss = outcome_cross_entropy(outcomes, teacher_probs, temperature)
    if tail == "uniform":
        vocabulary = student_logits.shape[1]
        loss = loss + uniform_cross_entropy(outcomes, teacher_probs, vocabulary)
        loss = loss - uniform_share(teacher_probs, vocabulary) * widened(student_logits).sum(-1)
    return loss


def outcome_cross_entropy(outcomes: Tensor, teacher_probs: Tensor, temperature: float | Tensor) -> Tensor:
    """T² · (−Σ_i q_i log p_i), [N], from the student's logits and the teacher's masses, both [N, k + 1].

    The temperature may be one for all rows, or [N].
    """
    column = temperature[:, None] if isinstance(temperature, Tensor) else temperature
    return -(temperature**2) * (teacher_probs * torch.log_softmax(outcomes / column, dim=-1)).sum(-1)


def uniform_cross_entropy(outcomes: Tensor, teacher_probs: Tensor, vocabulary: int) -> Tensor:
    """m · (−1/(V−k) Σ_{j∉K} log s_j), [N]: an even spread of the bucket's mass m against the student's spread s.

    With log s_j = z_j − r this is m · r − m/(V−k) · (Σ_v z_v − Σ_K z_K), of which the part with all words is left out
    here, because it can be had without logits: subtract `uniform_share` · Σ_v z_v.
    """
    outside = uniform_share(teacher_probs, vocabulary)
    return teacher_probs[:, -1] * outcomes[:, -1] + outside * outcomes[:, :-1].sum(-1)


def uniform_share(teacher_probs: Tensor, vocabulary: int) -> Tensor:
    """What each word outside the top k gets of the bucket's mass, [N]."""
    return teacher_probs[:, -1] / max(1, vocabulary - teacher_probs.shape[1] + 1)


def outcome_entropy(teacher_probs: Tensor, temperature: float | Tensor, tail: Tail, vocabulary: int) -> Tensor:
    """T² · (−Σ_i q_i log q_i), [N]: what the word cross-entropy comes to when the student does as it is told.

    The temperature may be one for all rows, or [N].
    """
    entropy = -(temperature**2) * torch.xlogy(teacher_probs, teacher_probs).sum(-1)
    if tail == "uniform":
        entropy = entropy + teacher_probs[:, -1] * math.log(max(1, vocabulary - teacher_probs.shape[1] + 1))
    return entropy


def teacher_entropy(top_logprobs: Tensor, temperature: float, tail: Tail, vocabulary: int) -> Tensor:
    """The part of `top_k_cross_entropy` that no student can take away, [N].

    Their difference is the divergence: zero for a student equal to the teacher under `bucket` (and under `zero`, which
    may also go below zero), and never negative under `bucket`, `uniform` and `renormalize`.
    """
    return outcome_entropy(teacher_outcomes(top_logprobs, temperature, tail, vocabulary), temperature, tail, vocabulary)
