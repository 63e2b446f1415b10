"""Token-level distillation from the teacher's top-k log-probabilities (Kim & Rush 2016, equation 5, cut to the top k).

Both distributions are reduced to the same k + 1 outcomes: each of the teacher's top-k tokens, and "any other token",
the bucket. The student's bucket is all the mass that it gives to other tokens. The temperature softens these outcomes
on both sides, after the reduction, because the shape of the teacher's tail is not known. This is the only way to make
the divergence of a distribution from itself zero at every temperature. With T = 1 or k = V it is the usual softening.

Use of the teacher's bucket (`tail`):

- `bucket`: it is an outcome like the others (the k+1 bucket of DistillKit's `missing_probability.py`); the student may
  distribute this mass over the other tokens in any way;
- `uniform`: it is an outcome like the others, and the student should distribute it evenly, as in label smoothing;
- `renormalize`: its mass is spread over the top-k tokens in proportion; the student is normalized over the whole
  vocabulary;
- `zero`: its term is left out; the top-k tokens retain their mass.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from distilmt.config import Tail
from distilmt.losses.divergences import widened

NEG_INF = -1e30
"""Replaces the logit -inf: its probability is zero, and arithmetic on it gives no NaN."""


def teacher_outcomes(top_logprobs: Tensor, temperature: float | Tensor, tail: Tail, vocabulary: int) -> Tensor:
    """The teacher's target masses.

    Args:
        top_logprobs: [N, k] natural logarithms of probabilities under T = 1. A row with only -inf has no teacher
            targets: its masses and its loss are zero.
        temperature: softens the k + 1 outcomes; one for all rows, or [N, 1].
        tail: use of the bucket.
        vocabulary: V; if k ≥ V, the bucket is empty regardless of rounding.

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
    """Logits of the student's k + 1 outcomes, [N, k + 1], from all logits [N, V] and distinct tokens [N, k]."""
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
        top_ids: [N, k] distinct tokens.
        top_logprobs: [N, k] the teacher's log-probabilities of them.
        temperature: softens both sides.
        tail: use of the mass outside the top k.

    Returns:
        Nats per row, [N], in at least float32.
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

    The temperature is one for all rows, or [N].
    """
    column = temperature[:, None] if isinstance(temperature, Tensor) else temperature
    return -(temperature**2) * (teacher_probs * torch.log_softmax(outcomes / column, dim=-1)).sum(-1)


def uniform_cross_entropy(outcomes: Tensor, teacher_probs: Tensor, vocabulary: int) -> Tensor:
    """m · (−1/(V−k) Σ_{j∉K} log s_j), [N]: an even spread of the bucket's mass m against the student's spread s.

    Shapes: both arguments [N, k + 1]. With log s_j = z_j − r this is m · r − m/(V−k) · (Σ_v z_v − Σ_K z_K). The sum
    over all tokens is omitted here because it can be computed without logits: subtract `uniform_share` · Σ_v z_v.
    """
    outside = uniform_share(teacher_probs, vocabulary)
    return teacher_probs[:, -1] * outcomes[:, -1] + outside * outcomes[:, :-1].sum(-1)


def uniform_share(teacher_probs: Tensor, vocabulary: int) -> Tensor:
    """Share of each token outside the top k in the bucket's mass, [N], from the teacher's masses [N, k + 1]."""
    return teacher_probs[:, -1] / max(1, vocabulary - teacher_probs.shape[1] + 1)


def outcome_entropy(teacher_probs: Tensor, temperature: float | Tensor, tail: Tail, vocabulary: int) -> Tensor:
    """T² · (−Σ_i q_i log q_i), [N], of masses [N, k + 1]: the minimum of the cross-entropy, at student = teacher.

    The temperature is one for all rows, or [N].
    """
    entropy = -(temperature**2) * torch.xlogy(teacher_probs, teacher_probs).sum(-1)
    if tail == "uniform":
        entropy = entropy + teacher_probs[:, -1] * math.log(max(1, vocabulary - teacher_probs.shape[1] + 1))
    return entropy


def teacher_entropy(top_logprobs: Tensor, temperature: float, tail: Tail, vocabulary: int) -> Tensor:
    """The part of `top_k_cross_entropy` that does not depend on the student, [N], from log-probabilities [N, k].

    Their difference is the divergence. It is zero for a student equal to the teacher under `bucket` and `zero`. It is
    never negative under `bucket`, `uniform` and `renormalize`; under `zero` it can be.
    """
    return outcome_entropy(teacher_outcomes(top_logprobs, temperature, tail, vocabulary), temperature, tail, vocabulary)
