"""Distance between a student's hidden states and its teacher's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from distilmt.config import ObjectiveConfig
from distilmt.losses.records import FeatureRecords, ModelDimensions


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


def hidden_state_loss(features: FeatureRecords) -> Tensor:
    """Mean over the student's layers of `state_distance`: a scalar."""
    student, teacher = features.student, features.teacher
    layer_targets = [teacher.encoder[i] for i in features.encoder_map]
    layer_targets += [teacher.decoder[i] for i in features.decoder_map]
    layers = enumerate(zip([*student.encoder, *student.decoder], layer_targets, strict=True))
    return torch.stack([state_distance(s, t, features.parameters[f"projection.{i}"]) for i, (s, t) in layers]).mean()


def initial_projections(
    objective: ObjectiveConfig, student: ModelDimensions, teacher: ModelDimensions
) -> dict[str, Tensor]:
    """Initial projections [D, d], one for each of the student's layers, encoder first."""
    layers = range(student.encoder_layers + student.decoder_layers)
    return {f"projection.{i}": _projection(teacher.d_model, student.d_model) for i in layers}


def _projection(rows: int, columns: int) -> Tensor:
    """Initial projection [rows, columns] from the student's width to the teacher's: fixed; the identity if equal."""
    if rows == columns:
        return torch.eye(rows)
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) / columns**0.5
