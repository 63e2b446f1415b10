"""Whether the sizes a `config.json` claims are borne out by the weights beside it.

transformers builds a model by its configuration before it looks at the weights: a billion layers fill all memory.
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
    """See that layers, words and dimensions of a configuration are no more than the weights have.

    Raises:
        ValueError: they are.
    """
    config = json.loads((folder / "config.json").read_bytes())
    if not isinstance(config, dict):
        raise ValueError("it is no JSON object")
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
    """How many tensors there are, and the largest dimension of any."""
    count, largest = 0, 0
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(str(file), framework="np") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
        count += len(shapes)
        largest = max([largest, *(side for shape in shapes for side in shape)])
    return count, largest
