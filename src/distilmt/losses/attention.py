"""Distance between a student's attention and its teacher's."""

from __future__ import annotations

import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig
from distilmt.config.choices import HeadMapping
from distilmt.losses.records import FeatureRecords, ModelDimensions
from distilmt.utils.errors import UserError


def attention_distance(student: Tensor, teacher: Tensor, bias: Tensor, mixture: Tensor) -> Tensor:
    """Sum over queries, mean over the teacher's heads, of KL(teacher ‖ student) between attention weights.

    Before the softmax, a linear mixture maps the student's heads to each of the teacher's heads: the 1 × 1 convolution
    over heads of Align-to-Distill (Jin et al. 2024, section 3.2), which learns the correspondence of heads. Unlike the
    paper's code, the softmax is over the keys of one query, as in attention, not over a whole map.

    Args:
        student: [rows, s, q, k], scores before the softmax of all heads in all layers.
        teacher: [rows, t, q, k], the same for the teacher, without gradients.
        bias: [rows, 1, q, k]: 0 where attention is allowed, else the most negative number; a query without any allowed
            key is padding.
        mixture: [t, s], trained with the student.

    Returns:
        A float32 scalar (float64 for float64 scores); zero if the mixed scores equal the teacher's.
    """
    wide = torch.promote_types(student.dtype, torch.float32)
    mixed = torch.einsum("rsqk,ts->rtqk", student, mixture.to(student.dtype))  # [rows, t, q, k]
    hidden = bias < 0
    student_log_probs, teacher_log_probs = (
        scores.to(wide).masked_fill(hidden, torch.finfo(wide).min).log_softmax(-1) for scores in (mixed, teacher)
    )
    surplus = (teacher_log_probs - student_log_probs).masked_fill(hidden, 0.0)
    return (teacher_log_probs.exp() * surplus).sum() / teacher.shape[1]


def attention_loss(features: FeatureRecords, head_mapping: HeadMapping) -> Tensor:
    """Mean over the kinds of attention of `attention_distance`, summed over blocks: a scalar.

    Under `same`, heads are compared one to one in layers of equal depth, else all heads through a learned mixture.
    """
    assert features.student.attention is not None
    distances = [_kind_distance(features, kind, head_mapping) for kind in features.student.attention]
    return torch.stack(distances).mean()


def _kind_distance(features: FeatureRecords, kind: str, head_mapping: HeadMapping) -> Tensor:
    """Distance of attention of one kind, summed over blocks: a scalar."""
    assert features.student.attention is not None and features.teacher.attention is not None
    student_attention, teacher_scores = features.student.attention[kind], features.teacher.attention[kind].scores
    if head_mapping == "same":
        teacher_scores = [
            teacher_scores[i] for i in (features.encoder_map if kind == "encoder" else features.decoder_map)
        ]
    distances = []
    for number, bias in enumerate(student_attention.biases):
        # Heads of all layers: [rows, layers · heads, width, width].
        student, teacher = (
            torch.cat([layer[number] for layer in scores], 1) for scores in (student_attention.scores, teacher_scores)
        )
        heads = torch.eye(student.shape[1], device=student.device)
        distances.append(attention_distance(student, teacher, bias, features.parameters.get(f"mixture.{kind}", heads)))
    return torch.stack(distances).sum()


def initial_mixtures(
    objective: ObjectiveConfig, student: ModelDimensions, teacher: ModelDimensions
) -> dict[str, Tensor]:
    """Initial mixtures [t, s]: each of the teacher's t heads is compared with the mean of the student's s heads.

    Raises:
        UserError: `head_mapping` is `same`, but student and teacher have different numbers of heads.
    """
    student_heads, teacher_heads = student.heads(), teacher.heads()
    if objective.head_mapping == "same":
        _check_same_heads(student_heads, teacher_heads)
        return {}
    mixtures = {}
    for kind, (layers, heads) in student_heads.items():
        s, t = layers * heads, teacher_heads[kind][0] * teacher_heads[kind][1]
        mixtures[f"mixture.{kind}"] = torch.full((t, s), 1 / s)
    return mixtures


def _check_same_heads(student_heads: dict[str, tuple[int, int]], teacher_heads: dict[str, tuple[int, int]]) -> None:
    for (_, student), (_, teacher) in zip(student_heads.values(), teacher_heads.values(), strict=True):
        if student != teacher:
            raise UserError(
                f"student.objective.head_mapping is same, but the teacher has {teacher} heads and the student "
                f"{student}: set it to learned"
            )
