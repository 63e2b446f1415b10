"""Cross-entropy against the tokens of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from distilmt.losses.divergences import widened


def label_cross_entropy(student_logits: Tensor, ids: Tensor, smoothing: float = 0.0) -> Tensor:
    """−(1 − ε) log p(y) − (ε / V) Σ_v log p(v), as `torch.nn.functional.cross_entropy` smooths labels.

    Args:
        student_logits: [N, V].
        ids: [N] labels.
        smoothing: ε, the share spread evenly over the whole vocabulary (Szegedy et al. 2016, section 7).

    Returns:
        Nats per row, [N], in at least float32.
    """
    log_student = torch.log_softmax(widened(student_logits), dim=-1)
    nll = -log_student.gather(1, ids.long()[:, None]).squeeze(1)
    return (1 - smoothing) * nll - smoothing * log_student.mean(-1)
