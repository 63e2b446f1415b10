"""Weights as an integer model has them, for quantisation-aware training."""

from __future__ import annotations

import torch
from torch import Tensor


def rounded(rows: Tensor, bits: int) -> Tensor:
    """Every row's weights rounded to whole multiples of its biggest one's (2^(bits - 1) - 1)th part.

    With 8 bits this is what CTranslate2 computes with (`ctranslate2.specs.model_spec`, symmetric, one scale a row).
    Trained through as if it were not there (the straight-through estimator: Bengio et al. 2013), the weights settle
    where rounding does little harm (Jacob et al. 2018).

    Args:
        rows: weights [rows, columns], float32.
        bits: 2 to 8.

    Returns:
        [rows, columns], float32.
    """
    biggest = rows.abs().amax(1, keepdim=True)
    step = torch.where(biggest > 0, biggest, 1.0) / (2 ** (bits - 1) - 1)
    return torch.round(rows / step) * step
