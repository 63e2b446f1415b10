"""Check that the sizes in a `config.json` match the weights in the same directory.

transformers builds a model from its configuration before it reads the weights: a billion layers fill all memory.
"""

from __future__ import annotations

import json
from pathlib import Path

import safetensors

_MAX_POSITIONS = 1 << 20
_MAX_DIMENSION = 1 << 20
_LAYERS = ("num_layers", "num_decoder_layers", "num_hidden_layers", "encoder_layers", "decoder_layers")
_DIMENSIONS = ("d_model", "d_ff", "d_kv", "hidden_size", "encoder_ffn_dim", "decoder_ffn_dim", "intermediate_size")
_HEADS = ("num_heads", "encoder_attention_heads", "decoder_attention_heads", "num_attention_heads")
_VOCABULARIES = ("vocab_size", "decoder_vocab_size", "encoder_vocab_size")


def check_config(folder: Path) -> None:
    """Check that layers, tokens and dimensions of a configuration are at most those of the weights.

    Raises:
        ValueError: a size exceeds the weights.
    """
    config = json.loads((folder / "config.json").read_bytes())
    if not isinstance(config, dict):
        raise ValueError("it is not a JSON object")
    tensors, largest = _weights(folder)
    bounds = {name: tensors for name in _LAYERS}
    bounds |= {name: largest for name in _VOCABULARIES}
    bounds |= {name: min(largest, _MAX_DIMENSION) for name in (*_DIMENSIONS, *_HEADS)}
    bounds["max_position_embeddings"] = _MAX_POSITIONS
    for name, most in bounds.items():
        value = config.get(name)
        if value is not None and not (isinstance(value, int) and 0 <= value <= most):
            raise ValueError(f"{name} is {str(value)[:40]}, but the weights allow 0 to {most}")


def _weights(folder: Path) -> tuple[int, int]:
    """The number of tensors, and their largest dimension."""
    count, largest = 0, 0
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(str(file), framework="np") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
        count += len(shapes)
        largest = max([largest, *(side for shape in shapes for side in shape)])
    return count, largest
