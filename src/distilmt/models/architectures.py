"""The table of architectures, one line each."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from distilmt.config import ModelConfig
    from distilmt.data.tokenizer import Tokenizer
    from distilmt.models.base import Seq2SeqModel

# Modules are imported at their first use, so that names are checked without torch.
ARCHITECTURES = {
    "marian": "distilmt.models.marian:MarianModel",
    "whisper": "distilmt.models.whisper:WhisperModel",
}
"""Module and class of every architecture, by name. The name is also the `model_type` of its `config.json`."""


def check_architecture(name: str) -> None:
    """Check that an architecture exists.

    Raises:
        UserError: there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise UserError(f"model: architecture {name!r} is unknown: choose one of {', '.join(sorted(ARCHITECTURES))}")


def architecture(name: str) -> type[Seq2SeqModel]:
    """The class of an architecture.

    Raises:
        UserError: there is none of that name.
    """
    check_architecture(name)
    module, _, class_name = ARCHITECTURES[name].partition(":")
    model_class: type[Seq2SeqModel] = getattr(import_module(module), class_name)
    return model_class


def architecture_of(directory: Path) -> str | None:
    """The architecture of the table that a model directory names; None if it names another or none."""
    try:
        name = json.loads((directory / "config.json").read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return name if name in ARCHITECTURES else None


def new_model(config: ModelConfig, tokenizer: Tokenizer, dropout: float, seed: int) -> Seq2SeqModel:
    """A model of the configured architecture with fresh weights, float32, in train mode.

    Raises:
        UserError: the architecture is unknown, or its dimensions do not go together.
    """
    import torch

    torch.manual_seed(seed)
    return architecture(config.architecture).create(config, tokenizer, dropout).train()
