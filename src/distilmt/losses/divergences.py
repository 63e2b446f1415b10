"""Divergences between distributions in their plain form; tests compare the faster implementations with these.

A distribution is a row of probabilities, over the whole vocabulary or over the k + 1 outcomes of `top_k`; the formulas
are the same. A new divergence is an entry of `DIVERGENCES`, and its name and parameter in `config/student.py`
(docs/how-to/extend.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from distilmt.config import Divergence, ObjectiveConfig

_FLOOR = 1e-6
"""Minimum of the teacher's probabilities in `reverse_kl`, which would be infinite for zeros."""
_TINY = 1e-30
"""Minimum of other probabilities: its logarithm is finite in float32, and its share of a sum is lost in rounding."""


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


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of rows [N, n] in nats, [N]."""
    return -torch.xlogy(probabilities, probabilities).sum(-1)


@dataclass(frozen=True)
class DivergenceKind:
    """A divergence between the student's distribution p and the teacher's q."""

    formula: Callable[..., Tensor]
    """From log p [N, n], q [N, n] and the parameters' values: nats per row, [N]."""
    parameters: tuple[str, ...] = ()
    """The keys of `ObjectiveConfig` that hold its parameters; bounds and defaults stand in that dataclass."""


def divergence(kind: Divergence, log_student: Tensor, teacher: Tensor, *parameters: float) -> Tensor:
    """Divergence of the student p from the teacher q; zero if they are equal, never negative.

    Args:
        kind: a name in `DIVERGENCES`.
        log_student: [N, n] log-probabilities of the student.
        teacher: [N, n] probabilities of the teacher over the same outcomes.
        parameters: values of the divergence's parameters; by default those of `ObjectiveConfig`.

    Returns:
        Nats per row, [N]; for `tv` a share between 0 and 1.
    """
    values = parameters or parameter_values(ObjectiveConfig(divergence=kind))
    return DIVERGENCES[kind].formula(log_student, teacher, *values)


def parameter_values(objective: ObjectiveConfig) -> tuple[float, ...]:
    """The values of the parameters of the objective's divergence."""
    return tuple(float(getattr(objective, key)) for key in DIVERGENCES[objective.divergence].parameters)


def divergence_signature(objective: ObjectiveConfig) -> str:
    """The divergence in the loss signature, such as `-js0.5`; empty for `kl`, the default."""
    if objective.divergence == "kl":
        return ""
    values = ",".join(f"{value:g}" for value in parameter_values(objective))
    return f"-{objective.divergence}{values}"


def forward_kl(log_student: Tensor, teacher: Tensor) -> Tensor:
    """KL(q ‖ p), the mean log-ratio under the teacher (Kim & Rush 2016 minus a constant): mass-covering; [N]."""
    return _relative_entropy(teacher, log_student)


def reverse_kl(log_student: Tensor, teacher: Tensor) -> Tensor:
    """KL(p ‖ q), under the student (Gu et al. 2024, MiniLLM): mode-seeking; [N]."""
    return (log_student.exp() * (log_student - _log(teacher, _FLOOR))).sum(-1)


def symmetric_kl(log_student: Tensor, teacher: Tensor) -> Tensor:
    """The mean of forward and reverse divergence, [N]."""
    return (forward_kl(log_student, teacher) + reverse_kl(log_student, teacher)) / 2


def jensen_shannon(log_student: Tensor, teacher: Tensor, beta: float) -> Tensor:
    """β · KL(q ‖ m) + (1 − β) · KL(p ‖ m) with m = βq + (1 − β)p, [N] (Agarwal et al. 2024, GKD).

    0.5 makes this generalized Jensen-Shannon divergence symmetric. It is bounded, and so are its gradients: for a small
    β they are about β times those of `kl`.
    """
    student = log_student.exp()
    middle = _log(beta * teacher + (1 - beta) * student)  # [N, n]
    of_student = (student * (log_student - middle)).sum(-1)
    return beta * _relative_entropy(teacher, middle) + (1 - beta) * of_student


def total_variation(log_student: Tensor, teacher: Tensor) -> Tensor:
    """½ Σ |q − p|, [N] (Wen et al. 2023, f-DISTILL)."""
    return (teacher - log_student.exp()).abs().sum(-1) / 2


def skewed_kl(log_student: Tensor, teacher: Tensor, alpha: float) -> Tensor:
    """KL(q ‖ αq + (1 − α)p), [N] (Ko et al. 2024, DistiLLM)."""
    return _relative_entropy(teacher, _log(alpha * teacher + (1 - alpha) * log_student.exp()))


def skewed_reverse_kl(log_student: Tensor, teacher: Tensor, alpha: float) -> Tensor:
    """KL(p ‖ (1 − α)q + αp), [N] (Ko et al. 2024, DistiLLM)."""
    student = log_student.exp()
    return (student * (log_student - _log((1 - alpha) * teacher + alpha * student))).sum(-1)


def _relative_entropy(teacher: Tensor, log_other: Tensor) -> Tensor:
    """KL(q ‖ r) from q [N, n] and log r [N, n], [N]."""
    return (torch.xlogy(teacher, teacher) - teacher * log_other).sum(-1)


def _log(probabilities: Tensor, floor: float = _TINY) -> Tensor:
    """Logarithm of probabilities (any shape), not below that of `floor`."""
    return probabilities.clamp_min(floor).log()


DIVERGENCES: dict[str, DivergenceKind] = {
    "kl": DivergenceKind(forward_kl),
    "reverse_kl": DivergenceKind(reverse_kl),
    "symmetric_kl": DivergenceKind(symmetric_kl),
    "js": DivergenceKind(jensen_shannon, ("skew_alpha",)),
    "tv": DivergenceKind(total_variation),
    "skewed_kl": DivergenceKind(skewed_kl, ("skew_alpha",)),
    "skewed_reverse_kl": DivergenceKind(skewed_reverse_kl, ("skew_alpha",)),
}
"""By name: a value of `student.objective.divergence`."""
