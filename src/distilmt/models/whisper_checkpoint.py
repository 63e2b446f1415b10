"""Whisper's files: directories that `transformers` opens with `from_pretrained`, loaded from safetensors only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, WhisperForConditionalGeneration

from distilmt.utils.checksums import remedy
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json
from distilmt.utils.untrusted import loading

_TIED = {"proj_out.weight"}
"""Weights that files need not have."""


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
            loaded = WhisperForConditionalGeneration.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except UserError as error:
        raise UserError(_refusal(directory, str(error).partition("cannot be loaded: ")[2])) from None
    network, keys = loaded
    if {*keys["missing_keys"], *keys["unexpected_keys"]} - _TIED:
        raise UserError(_refusal(directory, "its weights and config.json disagree on the layers"))
    model: WhisperForConditionalGeneration = network
    return model.eval().requires_grad_(False)


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
