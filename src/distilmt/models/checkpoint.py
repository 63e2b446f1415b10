"""Marian checkpoints: directories that `transformers` opens with `from_pretrained`, loaded from safetensors only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, MarianMTModel

from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.models.presets import zero_pad
from distilmt.utils.checksums import check_step, remedy
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint_files, read_json, write_json
from distilmt.utils.untrusted import check_configuration, loading


def load_marian(directory: str | Path) -> MarianMTModel:
    """Load a Marian model from safetensors, in eval mode and without gradients.

    Raises:
        UserError: the directory has no loadable model, it is not a Marian model, or files were changed since the run.
    """
    place = Path(directory)
    check_step(place)
    check_configuration(directory)
    if place.is_dir():
        _check_type(place)
    try:
        with loading(directory):
            loaded: Any = MarianMTModel.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except UserError as error:
        raise UserError(_refusal(place, str(error).partition("cannot be loaded: ")[2])) from None
    model: MarianMTModel = loaded[0]
    if any(".layers." in key for keys in ("missing_keys", "unexpected_keys") for key in loaded[1][keys]):
        raise UserError(_refusal(place, "its weights and config.json disagree on the layers"))
    zero_pad(model)
    return model.eval().requires_grad_(False)


def _check_type(directory: Path) -> None:
    """Reject other model types: transformers would load any type as Marian, with default sizes for missing keys."""
    file = directory / "config.json"
    if not file.is_file():
        raise UserError(f"{file} is missing: {remedy(directory)}")
    try:
        kind = json.loads(file.read_bytes()).get("model_type", "marian")
    except ValueError:
        return  # transformers raises the error
    if kind != "marian":
        raise UserError(_refusal(directory, f"config.json has the model_type {kind!r}"))


def _refusal(directory: Path, reason: str) -> str:
    if "ignore_mismatched_sizes" in reason:
        reason = "its weights and config.json disagree on the shapes"
    return f"{directory} is not a Marian model in safetensors: {reason.rstrip('.')}: {remedy(directory)}"


def save_marian(model: MarianMTModel, tokenizer: Tokenizer, directory: Path) -> None:
    """Write a model and its tokenizer in a run's format, so that transformers' `generate` decodes as exports do."""
    model.generation_config = generation_config(model, beams=4)
    model.save_pretrained(directory)
    write_tokenizer(tokenizer, directory, int(model.config.max_position_embeddings))


def weights_fingerprint(directory: Path) -> str:
    """Fingerprint of a model directory's weights and configuration."""
    files = sorted([*directory.glob("*.safetensors"), *directory.glob("*config.json")])
    if not any(f.suffix == ".safetensors" for f in files):
        raise UserError(f"{directory} holds no .safetensors weights: convert the model with `save_pretrained` first")
    return fingerprint_files(*files)


def write_tokenizer(tokenizer: Tokenizer, directory: Path, max_positions: int) -> None:
    """Write the tokenizer files into a model directory, with the configuration that `AutoTokenizer` needs.

    `max_positions` becomes `model_max_length`.
    """
    tokenizer.copy_to(directory)
    path = directory / "tokenizer_config.json"
    config = {
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": not tokenizer.shared,
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        **(read_json(path) if path.exists() else {}),
        "model_max_length": max_positions,
        "split_special_tokens": True,  # `</s>` in the input is plain text, not the end token
    }
    write_json(path, config)


def generation_config(model: MarianMTModel, beams: int) -> GenerationConfig:
    """Decoding defaults for programs that read `generation_config.json`; `<pad>` is never generated."""
    pad: Any = model.config.pad_token_id
    settings: dict[str, Any] = {
        "bad_words_ids": [[pad]],
        "bos_token_id": EOS,
        "decoder_start_token_id": pad,
        "eos_token_id": EOS,
        "forced_eos_token_id": EOS,
        "max_length": int(model.config.max_position_embeddings),
        "num_beams": beams,
        "pad_token_id": pad,
    }
    return GenerationConfig(**settings)
