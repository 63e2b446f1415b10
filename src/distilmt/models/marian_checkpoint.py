"""Marian's files: directories that `transformers` opens with `from_pretrained`, loaded from safetensors only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, MarianConfig, MarianMTModel

from distilmt.data.tokenizer import EOS
from distilmt.models.int8_weights import is_only_form, load_int8
from distilmt.utils.checksums import check_step, remedy
from distilmt.utils.errors import UserError
from distilmt.utils.untrusted import check_configuration, loading


def load_marian(directory: str | Path) -> MarianMTModel:
    """Load a Marian model from safetensors, in eval mode and without gradients.

    Raises:
        UserError: the directory has no loadable model, it is not a Marian model, or files were changed since the run.
    """
    check_step(Path(directory))
    check_configuration(directory)
    return read_marian(directory)


def read_marian(directory: str | Path) -> MarianMTModel:
    """As `load_marian`, for a directory whose files and configuration are checked already."""
    path = Path(directory)
    if path.is_dir():
        _check_type(path)
    loaded: Any
    try:
        with loading(directory):
            loaded = _from_int8(path) or MarianMTModel.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except UserError as error:
        raise UserError(_refusal(path, str(error).partition("cannot be loaded: ")[2])) from None
    model: MarianMTModel = loaded[0]
    if any(".layers." in key for keys in ("missing_keys", "unexpected_keys") for key in loaded[1][keys]):
        raise UserError(_refusal(path, "its weights and config.json disagree on the layers"))
    zero_pad(model)
    return model.eval().requires_grad_(False)


def _from_int8(directory: Path) -> Any:
    """The model of an 8-bit checkpoint with its loading information; None without one, or with full precision too."""
    if not is_only_form(directory):
        return None
    return MarianMTModel.from_pretrained(
        None,
        config=MarianConfig.from_pretrained(directory),
        state_dict=load_int8(directory),
        dtype=torch.float32,
        output_loading_info=True,
    )


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


@torch.no_grad()
def zero_pad(model: MarianMTModel) -> None:
    """Make the embedding of `<pad>` zero: Marian's decoders start from a zero vector (CTranslate2 relies on it)."""
    model.model.encoder.embed_tokens.weight[-1] = 0
    model.model.decoder.embed_tokens.weight[-1] = 0


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
