"""Whisper's files: directories that `transformers` opens with `from_pretrained`, loaded from safetensors only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from distilmt.models.int8_weights import is_only_form, load_int8
from distilmt.utils.checksums import remedy
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json
from distilmt.utils.untrusted import loading

_POSITIONS = "model.encoder.embed_positions.weight"
_OPTIONAL = {"proj_out.weight", _POSITIONS}
"""Weights that files need not have: tied ones, and the encoder's table of sines, which transformers computes."""


def read_whisper(directory: Path) -> WhisperForConditionalGeneration:
    """The model of a directory in eval mode and without gradients.

    Raises:
        UserError: a file is missing, damaged or of another architecture.
    """
    kind = read_json(directory / "config.json").get("model_type")
    if kind != "whisper":
        raise UserError(_refusal(directory, f"config.json has the model_type {kind!r}"))
    loaded: Any
    try:
        with loading(directory):
            loaded = _from_int8(directory) or WhisperForConditionalGeneration.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except UserError as error:
        raise UserError(_refusal(directory, str(error).partition("cannot be loaded: ")[2])) from None
    network, keys = loaded
    if {*keys["missing_keys"], *keys["unexpected_keys"]} - _OPTIONAL:
        raise UserError(_refusal(directory, "its weights and config.json disagree on the layers"))
    model: WhisperForConditionalGeneration = network
    return model.eval().requires_grad_(False)


def _from_int8(directory: Path) -> Any:
    """The model of an 8-bit checkpoint with its loading information; None without one, or with full precision too."""
    if not is_only_form(directory):
        return None
    network = WhisperForConditionalGeneration(WhisperConfig.from_pretrained(directory))
    weights = load_int8(directory) or {}
    weights.pop(_POSITIONS, None)  # the computed sines are exact
    missing, unexpected = network.load_state_dict(weights, strict=False)
    return network, {"missing_keys": missing, "unexpected_keys": unexpected}


def _refusal(directory: Path, reason: str) -> str:
    return f"{directory} is not a Whisper model in safetensors: {reason.rstrip('.')}: {remedy(directory)}"


def generation_config(network: WhisperForConditionalGeneration) -> GenerationConfig:
    """Decoding defaults; CTranslate2 reads which tokens are never generated."""
    config: Any = network.config
    settings: dict[str, Any] = {
        "bos_token_id": config.bos_token_id,
        "decoder_start_token_id": config.decoder_start_token_id,
        "eos_token_id": config.eos_token_id,
        "is_multilingual": False,
        "max_length": config.max_target_positions,
        "no_timestamps_token_id": config.vocab_size - 1,
        "pad_token_id": config.pad_token_id,
        "suppress_tokens": [config.pad_token_id, config.vocab_size - 1],
    }
    return GenerationConfig(**settings)
