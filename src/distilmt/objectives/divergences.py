"""Plain divergences between whole distributions: what every faster path is tested against."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(values: Tensor) -> Tensor:
    """At least float32, where logarithms and sums over a vocabulary are safe."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def soften(probabilities: Tensor, temperature: float) -> Tensor:
    """Distribution proportional to p^(1/T), [..., V]: what dividing the logits by T gives."""
    return torch.softmax(widened(probabilities).log() / temperature, dim=-1)


def cross_entropy_soft(student_logits: Tensor, teacher_probs: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross-entropy from the teacher to the student, T² · (−Σ q_T log p_T) (Hinton et al. 2015, section 2.1).

    Args:
        student_logits: [positions, V].
        teacher_probs: [positions, V], each row sums to one.
        temperature: both sides are softened by it; the square keeps gradients of one size.

    Returns:
        Nats per position, [positions].
    """
    log_student = torch.log_softmax(widened(student_logits) / temperature, dim=-1)
    return -(temperature**2) * (soften(teacher_probs, temperature) * log_student).sum(-1)


def kl_divergence(student_logits: Tensor, teacher_probs: Tensor, temperature: float = 1.0) -> Tensor:
    """Forward Kullback-Leibler divergence T² · KL(q_T ‖ p_T): zero where the two agree, never negative.

    Args and result are those of `cross_entropy_soft`, less the teacher's own entropy.
    """
    softened = soften(teacher_probs, temperature)
    entropy = -(torch.xlogy(softened, softened)).sum(-1)
    return cross_entropy_soft(student_logits, teacher_probs, temperature) - temperature**2 * entropy
