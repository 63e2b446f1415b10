"""A CTranslate2 export of a student of pictures or speech back as a model: the inverse of `export.ctranslate2_frames`.

The rounding is that of `export.ctranslate2_reading`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from distilmt.config import ModelConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import PAD_TOKEN, Tokenizer
from distilmt.export.ctranslate2_frames import END, NO_TIMESTAMPS, START
from distilmt.export.ctranslate2_reading import REMEDY, layer_names, layer_sizes, tensor
from distilmt.export.ctranslate2_variables import Variables, read_variables
from distilmt.inference.manifest import has_file, read_model_file
from distilmt.models.base import STACKS
from distilmt.models.checkpoint import save_model
from distilmt.models.whisper import WhisperModel, whisper_config
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import write_json

_SPECIFICATION = "WhisperSpec"
_OTHER_WEIGHTS = {
    "encoder/conv1/weight": "model.encoder.conv1.weight",
    "encoder/conv1/bias": "model.encoder.conv1.bias",
    "encoder/conv2/weight": "model.encoder.conv2.weight",
    "encoder/conv2/bias": "model.encoder.conv2.bias",
    "encoder/layer_norm/gamma": "model.encoder.layer_norm.weight",
    "encoder/layer_norm/beta": "model.encoder.layer_norm.bias",
    "decoder/layer_norm/gamma": "model.decoder.layer_norm.weight",
    "decoder/layer_norm/beta": "model.decoder.layer_norm.bias",
    "decoder/embeddings/weight": "model.decoder.embed_tokens.weight",
    "decoder/position_encodings/encodings": "model.decoder.embed_positions.weight",
}
"""Weights outside the layers: names in the export, names in transformers."""


def write_trainable_frames(export: Path, directory: Path) -> None:
    """Write the model of an export of a student of pictures or speech as a Whisper directory with its tokenizer.

    Such an export has no tokenizer of the source: that of the target takes its place.

    Args:
        export: a directory that distilmt exported; its files are checked already
            (`inference.sandbox.check_model_files`).
        directory: an empty directory.

    Raises:
        UserError: a file is missing or damaged, or its shape is not that of a student.
    """
    try:
        variables = read_variables(read_model_file(export, "model.bin"))
        tokenizer = _write_tokenizer(export, directory)
        network = _network(variables, tokenizer)
    except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
        raise UserError(f"{export} cannot be trained ({error}): {REMEDY}") from None
    save_model(WhisperModel(network), tokenizer, directory)


def _write_tokenizer(export: Path, directory: Path) -> Tokenizer:
    """Write the target's vocabulary and SentencePiece model for both sides.

    Raises:
        ValueError: a file is missing, or the vocabulary is not that of a student.
    """
    for name in ("vocabulary.json", "target.spm"):
        if not has_file(export, name):
            raise ValueError(f"{name} is missing")
    tokens = json.loads(read_model_file(export, "vocabulary.json"))
    if not isinstance(tokens, list) or tokens[:1] != [END] or tokens[-2:] != [START, NO_TIMESTAMPS]:
        raise ValueError("vocabulary.json is not that of a student")
    vocabulary = ["</s>", *tokens[1:-2], PAD_TOKEN]
    write_json(directory / "vocab.json", {token: number for number, token in enumerate(vocabulary)})
    for name in ("source.spm", "target.spm"):
        (directory / name).write_bytes(read_model_file(export, "target.spm"))
    return tokenizers.load(directory)


def _network(variables: Variables, tokenizer: Tokenizer) -> WhisperForConditionalGeneration:
    """The model of the variables, in eval mode.

    Raises:
        ValueError: a weight is missing, or shapes do not go together.
    """
    if variables.specification != _SPECIFICATION:
        raise ValueError(f"it is a {variables.specification}, not of Whisper's architecture")
    network = WhisperForConditionalGeneration(whisper_config(_configuration(variables), tokenizer, 0.1)).eval()
    state = network.state_dict()
    for name, value in _weights(variables, network, set(state)):
        if state[name].shape != value.shape:
            raise ValueError(f"{name} has the shape {list(value.shape)} instead of {list(state[name].shape)}")
        state[name] = value
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    network.load_state_dict(state)
    return network.requires_grad_(False)


def _configuration(variables: Variables) -> ModelConfig:
    """The shape of the variables; only these bound its sizes.

    Raises:
        ValueError: encoder and decoder have different heads or feed-forward layers, as after pruning.
    """
    values = variables.values
    width, frame_size = values["encoder/conv1/weight"].shape[:2]
    positions = len(values["encoder/position_encodings/encodings"])
    encoder, decoder = (layer_sizes(variables, stack, width) for stack in STACKS)
    if replace(encoder, layers=decoder.layers) != decoder:
        raise ValueError("its encoder and its decoder have layers of different sizes")
    return ModelConfig(
        None,
        d_model=width,
        ffn_dim=encoder.ffn_dim,
        num_heads=encoder.heads,
        encoder_layers=encoder.layers,
        decoder_layers=decoder.layers,
        max_positions=positions,
        architecture="whisper",
        frame_size=frame_size,
    )


def _weights(
    variables: Variables, network: WhisperForConditionalGeneration, names: set[str]
) -> Iterator[tuple[str, Tensor]]:
    """The weights by their names in transformers, of those `names` that a model has: keys have no bias.

    Raises:
        ValueError: one is missing.
    """
    joined = dict(layer_names(network)) | {name: (part,) for name, part in _OTHER_WEIGHTS.items()}
    for name, parts in joined.items():
        if name not in variables.values:
            raise ValueError(f"{name} is missing")
        for part, value in zip(parts, np.split(variables.values[name], len(parts)), strict=True):
            if part in names:
                yield part, tensor(value)
