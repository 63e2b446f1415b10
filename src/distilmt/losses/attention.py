"""Distance between a student's attention and its teacher's."""

from __future__ import annotations

import torch
from torch import Tensor


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
