"""Distance between a student's hidden states and its teacher's."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def state_distance(student: Tensor, teacher: Tensor, projection: Tensor) -> Tensor:
    """Sum over tokens of the mean squared difference between projected and teacher's states.

    FitNets (Romero et al. 2015) with TinyBERT's linear projection (Jiao et al. 2020, equation 8).

    Args:
        student: states [N, d].
        teacher: states [N, D], without gradients.
        projection: [D, d], trained with the student.

    Returns:
        A float32 scalar (float64 for float64 states); zero if the projected states equal the teacher's.
    """
    difference = F.linear(student, projection.to(student.dtype)) - teacher  # [N, D]
    wide = difference if difference.dtype.itemsize > 4 else difference.float()
    return wide.square().mean(-1).sum()


def layer_map(student: int, teacher: int) -> list[int]:
    """Index of the teacher's layer (from 0) for each of the student's layers: evenly spaced, last to last."""
    return [max(0, int((layer + 1) * teacher / student + 0.5) - 1) for layer in range(student)]
