"""Checkpoints in 8 bits: a quarter of the bytes of float32, and training can read them back.

The rounding is that of CTranslate2's int8: every row of a matrix has a scale of its own, its largest absolute value
over 127. An error is at most half a scale.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distilmt.utils.run_dir import atomic_path

FILE = "model.int8.safetensors"
_SCALE = ".scale"
_LARGEST = 127


def quantized(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices and kernels [rows, …] as int8, with float32 scales [rows, 1, …] named `NAME.scale`.

    Vectors stay float32.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() < 2 or weight.shape[0] == 1:
            packed[name] = weight.float()
            continue
        columns = tuple(range(1, weight.dim()))
        scale = weight.float().abs().amax(dim=columns, keepdim=True) / _LARGEST  # [rows, 1, …]
        rounded = (weight.float() / scale.clamp_min(torch.finfo(torch.float32).tiny)).round()
        packed[name], packed[name + _SCALE] = rounded.to(torch.int8), scale
    return packed


def dequantized(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32, by their names.

    Raises:
        ValueError: a scale does not have one value per row.
    """
    weights: dict[str, Tensor] = {}
    for name, weight in packed.items():
        if name.endswith(_SCALE):
            continue
        scale = packed.get(name + _SCALE)
        if scale is None:
            weights[name] = weight
        elif scale.shape == (weight.shape[0], *[1] * (weight.dim() - 1)):  # other shapes could broadcast to any size
            weights[name] = weight.float() * scale
        else:
            raise ValueError(f"{name}: its scale has the shape {list(scale.shape)}")
    return weights


def save_int8(weights: dict[str, Tensor], directory: Path) -> None:
    """Write weights in 8 bits into a model directory, whole or not at all."""
    with atomic_path(directory / FILE) as path:
        save_file(quantized(weights), path, metadata={"format": "pt"})


def is_only_form(directory: Path) -> bool:
    """Whether a model directory has its weights in 8 bits alone."""
    return (directory / FILE).exists() and not (directory / "model.safetensors").exists()


def load_int8(directory: Path) -> dict[str, Tensor] | None:
    """The weights of a model directory in float32; None if it has no 8-bit checkpoint."""
    path = directory / FILE
    return dequantized(load_file(path)) if path.exists() else None
