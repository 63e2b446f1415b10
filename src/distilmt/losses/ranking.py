"""Ranking loss: the student should rank tokens like the teacher."""

from __future__ import annotations

from torch import Tensor


def ranking(student: Tensor, other: Tensor, teacher: Tensor) -> Tensor:
    """A hinge on probabilities, [N] (after TIE-KD: Zhang et al. 2023).

    It has three parts: the teacher's most likely token ranks above its other top-k tokens; of two top-k tokens, the
    one that the teacher prefers ranks above the other; all top-k tokens rank above the rest. For the last part, the
    paper uses all of the student's own top k; here it is only the student's most likely other token.

    Args:
        student: [N, k] the student's probabilities of the teacher's top-k tokens, in the teacher's order.
        other: [N] probability of the student's most likely token outside the teacher's top k.
        teacher: [N, k] the teacher's probabilities.
    """
    first = (student - student[:, :1]).relu().sum(-1)  # [N]
    preferred = teacher[:, :, None] > teacher[:, None, :]  # [N, k, k]
    pairs = ((student[:, None, :] - student[:, :, None]).relu() * preferred).sum((1, 2))  # [N, k, k] -> [N]
    return first + pairs + (other[:, None] - student).relu().sum(-1)
