"""How far a student's attention is from its teacher's."""

from __future__ import annotations

import torch
from torch import Tensor


def attention_distance(student: Tensor, teacher: Tensor, bias: Tensor, mixture: Tensor) -> Tensor:
    """Sum over queries, mean over the teacher's heads, of KL(teacher ‖ student) between attention weights.

    The student's heads are mixed into one for each of the teacher's before the softmax: the 1 × 1 convolution over
    heads of Align-to-Distill (Jin et al. 2024, section 3.2), which learns which head resembles which. Differs from
    the paper's code in that the softmax is over the keys of one query, as it is in attention, not over a whole map.

    Args:
        student: scores [rows, s, q, k] before the softmax, of all its heads in all layers.
        teacher: the same of the teacher, [rows, t, q, k], without gradients.
        bias: [rows, 1, q, k]: 0 where a query may look, else the most negative number; a query that may look nowhere
            is padding.
        mixture: [t, s], learnt beside the student.

    Returns:
        A float32 scalar (float64 for float64 scores); zero where the mixed scores are the teacher's.
    """
    wide = torch.promote_types(student.dtype, torch.float32)
    mixed = torch.einsum("rsqk,ts->rtqk", student, mixture.to(student.dtype))
    hidden = bias < 0
    student_log_probs, teacher_log_probs = (
        scores.to(wide).masked_fill(hidden, torch.finfo(wide).min).log_softmax(-1) for scores in (mixed, teacher)
    )
    surplus = (teacher_log_probs - student_log_probs).masked_fill(hidden, 0.0)
    return (teacher_log_probs.exp() * surplus).sum() / teacher.shape[1]
