"""Weights as an integer model has them, for quantisation-aware training."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def fake_quantize(rows: Tensor, bits: int) -> Tensor:
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


@torch.no_grad()
def fake_quantize_model(model: Model, bits: int) -> Model:
    """A copy of a model whose matrices, but for that of positions, have weights of so many bits; see `rounded`."""
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and "embed_positions" not in name:
            parameter.copy_(fake_quantize(parameter, bits))
    return model
