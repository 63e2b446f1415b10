"""Weights rounded as in an integer model, for quantization-aware training."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def fake_quantize(rows: Tensor, bits: int) -> Tensor:
    """Round every row's weights to multiples of its step: the row's largest absolute weight / (2^(bits - 1) - 1).

    With 8 bits these are CTranslate2's weights (`ctranslate2.specs.model_spec`, symmetric, one scale per row).
    Gradients ignore the rounding (the straight-through estimator: Bengio et al. 2013), so that training finds weights
    that rounding affects little (Jacob et al. 2018).

    Args:
        rows: weights [rows, columns], float32.
        bits: 2 to 8.

    Returns:
        [rows, columns], float32.
    """
    largest = rows.abs().amax(1, keepdim=True)  # [rows, 1]
    step = torch.where(largest > 0, largest, 1.0) / (2 ** (bits - 1) - 1)
    return torch.round(rows / step) * step


@torch.no_grad()
def fake_quantize_model(model: Model, bits: int) -> Model:
    """A copy of a model with all matrices except position embeddings rounded to `bits` bits; see `fake_quantize`."""
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and "embed_positions" not in name:
            parameter.copy_(fake_quantize(parameter, bits))
    return model
