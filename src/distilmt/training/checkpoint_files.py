"""Files of an unfinished training: the last checkpoint, and the best averaged weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from torch import Tensor

from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"


def clear(directory: Path) -> None:
    """Remove the checkpoints of a finished training."""
    for name in (CHECKPOINT, BEST):
        (directory / name).unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The state of the training, and the tensors by name.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with safetensors.safe_open(path, "np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return json.loads(file.metadata()["state"]), tensors
    except (safetensors.SafetensorError, json.JSONDecodeError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: delete it; the training then starts again") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors of any shape, atomically."""
    with atomic_path(path) as temporary:
        whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        safetensors.torch.save_file(whole, temporary, metadata)
