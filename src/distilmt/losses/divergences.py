"""Divergences between distributions in their plain form; tests compare the faster implementations with these.

A distribution is a row of probabilities, over the whole vocabulary or over the k + 1 outcomes of `top_k`; the formulas
are the same.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Divergence = Literal["kl", "reverse_kl", "symmetric_kl", "js", "tv", "skewed_kl", "skewed_reverse_kl"]

_FLOOR = 1e-6
"""Minimum of the teacher's probabilities in `reverse_kl`, which would be infinite for zeros."""
_TINY = 1e-30


def widened(values: Tensor) -> Tensor:
    """The values (any shape) in at least float32, where logarithms and sums over a vocabulary are safe."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def soften(probabilities: Tensor, temperature: float) -> Tensor:
    """Distribution proportional to p^(1/T), [..., V] -> [..., V]: the same as the logits divided by T."""
    return torch.softmax(widened(probabilities).log() / temperature, dim=-1)


def cross_entropy_soft(student_logits: Tensor, teacher_probs: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross-entropy from the teacher to the student, T² · (−Σ q_T log p_T) (Hinton et al. 2015, section 2.1).

    Args:
        student_logits: [positions, V].
        teacher_probs: [positions, V], each row sums to one.
        temperature: softens both sides; the factor T² keeps the size of the gradients.

    Returns:
        Nats per position, [positions].
    """
    log_student = torch.log_softmax(widened(student_logits) / temperature, dim=-1)
    return -(temperature**2) * (soften(teacher_probs, temperature) * log_student).sum(-1)


def kl_divergence(student_logits: Tensor, teacher_probs: Tensor, temperature: float = 1.0) -> Tensor:
    """Forward Kullback-Leibler divergence T² · KL(q_T ‖ p_T), [positions]: zero if the two are equal, never negative.

    It is `cross_entropy_soft` (same arguments and shapes) minus the teacher's entropy.
    """
    softened = soften(teacher_probs, temperature)
    entropy = -(torch.xlogy(softened, softened)).sum(-1)
    return cross_entropy_soft(student_logits, teacher_probs, temperature) - temperature**2 * entropy


def divergence(kind: Divergence, log_student: Tensor, teacher: Tensor, skew: float = 0.1) -> Tensor:
    """Divergence of the student p from the teacher q, one of seven; zero if they are equal, never negative.

    - `kl`: KL(q ‖ p), the mean log-ratio under the teacher (Kim & Rush 2016 minus a constant): mass-covering.
    - `reverse_kl`: KL(p ‖ q), under the student (Gu et al. 2024, MiniLLM): mode-seeking.
    - `symmetric_kl`: the mean of both.
    - `js`: β · KL(q ‖ m) + (1 − β) · KL(p ‖ m) with m = βq + (1 − β)p, the generalized Jensen-Shannon divergence
      (Agarwal et al. 2024, GKD); β is `skew`, and 0.5 makes it symmetric. It is bounded, and so are its
      gradients: for a small β they are about β times those of `kl`.
    - `tv`: ½ Σ |q − p|, total variation (Wen et al. 2023, f-DISTILL).
    - `skewed_kl`: KL(q ‖ αq + (1 − α)p); α is `skew` (Ko et al. 2024, DistiLLM).
    - `skewed_reverse_kl`: KL(p ‖ (1 − α)q + αp) (the same).

    Args:
        kind: the divergence.
        log_student: [N, n] log-probabilities of the student.
        teacher: [N, n] probabilities of the teacher over the same outcomes.
        skew: β or α, between 0 and 1.

    Returns:
        Nats per row, [N]; for `tv` a share between 0 and 1.
    """
    student = log_student.exp()
    if kind == "kl":
        return _relative_entropy(teacher, log_student)
    if kind == "reverse_kl":
        return (student * (log_student - _log(teacher, _FLOOR))).sum(-1)
    if kind == "symmetric_kl":
        return (divergence("kl", log_student, teacher) + divergence("reverse_kl", log_student, teacher)) / 2
    if kind == "tv":
        return (teacher - student).abs().sum(-1) / 2
    if kind == "skewed_kl":
        return _relative_entropy(teacher, _log(skew * teacher + (1 - skew) * student))
    if kind == "skewed_reverse_kl":
        return (student * (log_student - _log((1 - skew) * teacher + skew * student))).sum(-1)
    middle = _log(skew * teacher + (1 - skew) * student)
    of_student = (student * (log_student - middle)).sum(-1)
    return skew * _relative_entropy(teacher, middle) + (1 - skew) * of_student


def _relative_entropy(teacher: Tensor, log_other: Tensor) -> Tensor:
    """KL(q ‖ r) from q and log r, [N]."""
    return (torch.xlogy(teacher, teacher) - teacher * log_other).sum(-1)


def _log(probabilities: Tensor, floor: float = _TINY) -> Tensor:
    """Logarithm of probabilities (any shape), not below that of `floor`."""
    return probabilities.clamp_min(floor).log()
