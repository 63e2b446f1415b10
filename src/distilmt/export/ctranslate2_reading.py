"""A CTranslate2 export back as a model that can be trained: the inverse of `export.ctranslate2`.

Weights that the export rounded stay rounded: an int8 weight is off by at most half of its row's scale. Exported again
in the same type without training, it is the same file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import MarianConfig, MarianMTModel, PreTrainedModel

from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import EOS, PAD_TOKEN
from distilmt.export.ctranslate2_variables import Variables, read_variables
from distilmt.inference.manifest import (
    ExportManifest,
    check_input,
    has_file,
    read_manifest,
    read_model_file,
)
from distilmt.models.base import STACKS, StackName
from distilmt.models.checkpoint import save_model
from distilmt.models.marian import MarianModel
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import write_json

_SPECIFICATION = "TransformerSpec"
_ACTIVATIONS = {0: "relu", 1: "gelu_new", 2: "swish", 3: "gelu"}
"""Names of transformers by CTranslate2's number."""
_NOT_MARIAN = ("pre_norm", "multi_query_attention", "alibi", "scale_alibi", "alibi_use_positive_positions")
_SETTINGS = (
    *_NOT_MARIAN,
    *("activation", "alignment_heads", "alignment_layer", "embeddings_merge", "num_heads", "scale_embeddings"),
    *("start_from_zero_embedding", "position_encodings/encodings"),
)
"""Names of a stack that are no weights."""
_TABLES = ("encoder/embeddings_0/weight", "decoder/embeddings/weight")
_POSITION_ERROR = 1e-2
"""Rounding of values from -1 to 1 in bfloat16, and some more."""
REMEDY = "name the run that it comes from, or its directory student"


def write_trainable(export: Path, directory: Path) -> None:
    """Write the model of a CTranslate2 export, packed or not, as a Marian directory with its tokenizer.

    Args:
        export: a directory that distilmt exported from a Marian model; its files are checked already
            (`inference.sandbox.check_model_files`).
        directory: an empty directory.

    Raises:
        UserError: it is no such export, a file is damaged, or its shape or its tokens are not those of Marian.
    """
    manifest = read_manifest(export)
    _check_manifest(export, manifest)
    try:
        variables = read_variables(read_model_file(export, "model.bin"))
        pad = _write_tokenizer(export, directory)
        network = _network(variables, pad)
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UserError(f"{export} cannot be trained ({error}): {REMEDY}") from None
    save_model(MarianModel(network), tokenizers.load(directory), directory)


def _check_manifest(export: Path, manifest: ExportManifest) -> None:
    check_input(export, manifest, "text")
    kind = manifest.get("tokenizer")
    if kind or not manifest.get("source_end", True) or manifest.get("target_prefix") or manifest.get("prefix"):
        form = {"huggingface": "another program's tokenizer", "subword-nmt": "Moses' tokens and BPE"}.get(str(kind))
        raise UserError(
            f"{export} cannot be trained (its text becomes {form or 'tokens by rules of its own'}, not SentencePiece's "
            "of Marian): name a student that distilmt trained, or distill this model as a teacher"
        )


def _write_tokenizer(export: Path, directory: Path) -> int:
    """Write the vocabularies in Marian's form; returns the id of `<pad>`.

    Raises:
        ValueError: the vocabularies do not follow Marian's convention, or are damaged.
    """
    shared = has_file(export, "shared_vocabulary.json")
    names = {"vocab.json": "shared_vocabulary.json"}
    if not shared:
        names = {"vocab.json": "source_vocabulary.json", "target_vocab.json": "target_vocabulary.json"}
    vocabularies = {own: _tokens(export, name) for own, name in names.items()}
    if len({len(tokens) for tokens in vocabularies.values()}) > 1:
        raise ValueError("its vocabularies have different sizes")
    for own, tokens in vocabularies.items():
        write_json(directory / own, {token: number for number, token in enumerate(tokens)})
    for name in ("source.spm", "target.spm"):
        if not has_file(export, "source.spm"):
            raise ValueError("source.spm is missing")
        (directory / name).write_bytes(
            read_model_file(export, name if has_file(export, name) else "source.spm")  # one model for both sides
        )
    return len(vocabularies["vocab.json"]) - 1


def _tokens(export: Path, name: str) -> list[str]:
    """The tokens of a vocabulary, with `<pad>` at the end: exports leave it out, because it is never generated."""
    if not has_file(export, name):
        raise ValueError(f"{name} is missing")
    tokens = json.loads(read_model_file(export, name))
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"{name} is not a list of tokens")
    if tokens[:2] != ["</s>", "<unk>"] or len(set(tokens)) < len(tokens):
        raise ValueError(f"{name} does not begin with </s> and <unk>, or has a token twice")
    return tokens if tokens[-1] == PAD_TOKEN else [*tokens, PAD_TOKEN]


def _network(variables: Variables, pad: int) -> MarianMTModel:
    """The model of the variables, in eval mode.

    Raises:
        ValueError: a variable is missing or unknown, or their shapes do not go together.
    """
    _check_settings(variables)
    network = MarianMTModel(_configuration(variables, pad)).eval()
    positions = network.model.encoder.embed_positions.weight.detach().numpy()
    if not np.allclose(variables.values["encoder/position_encodings/encodings"], positions, atol=_POSITION_ERROR):
        raise ValueError("its positions are not sinusoids")
    unknown = set(variables.values) - {name for name, _ in layer_names(network)} - _other_names()
    if unknown:
        raise ValueError(f"{min(unknown)} is no weight of Marian")
    state = network.state_dict()
    for name, value in _weights(variables, network):
        if state[name].shape != value.shape:
            raise ValueError(f"{name} has the shape {list(value.shape)} instead of {list(state[name].shape)}")
        state[name] = value
    network.load_state_dict(state)
    return network.requires_grad_(False)


def _check_settings(variables: Variables) -> None:
    if variables.specification != _SPECIFICATION:
        raise ValueError(f"it is a {variables.specification}, not a transformer with encoder and decoder")
    for stack in STACKS:
        for name in _NOT_MARIAN:
            if variables.number(f"{stack}/{name}"):
                raise ValueError(f"its {stack} has {name}, which Marian does not have")
    if not variables.number("decoder/start_from_zero_embedding"):
        raise ValueError("its decoder does not begin with a zero vector")
    for name in (*_TABLES, "encoder/position_encodings/encodings"):
        if name not in variables.values or variables.values[name].ndim != 2:
            raise ValueError(f"{name} is missing")
    embeddings = variables.values["decoder/embeddings/weight"]
    if not np.array_equal(embeddings, variables.values.get("decoder/projection/weight", embeddings)):
        raise ValueError("its output layer is not tied to its embeddings")


def _configuration(variables: Variables, pad: int) -> MarianConfig:
    """The configuration that fits the variables' shapes; only these bound its sizes."""
    values = variables.values
    vocabulary, width = values["decoder/embeddings/weight"].shape
    if pad + 1 not in (vocabulary, vocabulary + 1):
        raise ValueError(f"it has {vocabulary} embeddings for {pad + 1} tokens")
    scale = variables.number("encoder/scale_embeddings", 1.0)
    if not (math.isclose(scale, 1.0) or math.isclose(scale, math.sqrt(width), rel_tol=1e-4)):
        raise ValueError(f"its embeddings are multiplied by {scale:g}")
    activation = _ACTIVATIONS.get(int(variables.number("encoder/activation")))
    if activation is None:
        raise ValueError("its activation is unknown")
    sizes: dict[str, Any] = {}
    for stack in STACKS:
        own = layer_sizes(variables, stack, width)
        sizes |= {f"{stack}_layers": own.layers, f"{stack}_attention_heads": own.heads}
        sizes[f"{stack}_ffn_dim"] = own.ffn_dim
    source, target = (values[name] for name in _TABLES)
    return MarianConfig(
        vocab_size=pad + 1,
        decoder_vocab_size=pad + 1,
        share_encoder_decoder_embeddings=np.array_equal(source, target),
        tie_word_embeddings=True,
        d_model=width,
        activation_function=activation,
        scale_embedding=not math.isclose(scale, 1.0),
        max_position_embeddings=len(values["encoder/position_encodings/encodings"]),
        dropout=0.1,
        attention_dropout=0.0,
        activation_dropout=0.0,
        pad_token_id=pad,
        eos_token_id=EOS,
        bos_token_id=EOS,
        decoder_start_token_id=pad,
        forced_eos_token_id=EOS,
        **sizes,
    )


@dataclass(frozen=True)
class LayerSizes:
    """Sizes of the layers of a stack."""

    layers: int
    heads: int
    ffn_dim: int


def layer_sizes(variables: Variables, stack: StackName, width: int) -> LayerSizes:
    """The sizes of a stack of a model of some width.

    Raises:
        ValueError: there are no layers, or heads that do not divide the width.
    """
    layers = {name.split("/")[1] for name in variables.values if name.startswith(f"{stack}/layer_")}
    layers.discard("layer_norm")
    inner = variables.values.get(f"{stack}/layer_0/ffn/linear_0/weight")
    heads = int(variables.number(f"{stack}/num_heads"))
    if inner is None or not 1 <= heads <= width or width % heads or width % 2:
        raise ValueError(f"its {stack} has no layers, or heads that do not divide its width")
    return LayerSizes(len(layers), heads, len(inner))


def layer_names(network: PreTrainedModel) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every linear layer and norm by its part in the export: the names, without the end, of what is joined there."""
    for stack in STACKS:
        for number in range(len(getattr(network.model, stack).layers)):
            there, here = f"{stack}/layer_{number}", f"model.{stack}.layers.{number}"
            for name, parts in _layer_parts(stack):
                kinds = ("gamma", "beta") if name.endswith("layer_norm") else ("weight", "bias")
                for kind in kinds:
                    own = {"gamma": "weight", "beta": "bias"}.get(kind, kind)
                    yield f"{there}/{name}/{kind}", tuple(f"{here}.{part}.{own}" for part in parts)


def _layer_parts(stack: StackName) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Parts of a layer: name in the export, names in transformers; several are joined row by row."""
    yield "self_attention/linear_0", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    yield "self_attention/linear_1", ("self_attn.out_proj",)
    yield "self_attention/layer_norm", ("self_attn_layer_norm",)
    if stack == "decoder":
        yield "attention/linear_0", ("encoder_attn.q_proj",)
        yield "attention/linear_1", ("encoder_attn.k_proj", "encoder_attn.v_proj")
        yield "attention/linear_2", ("encoder_attn.out_proj",)
        yield "attention/layer_norm", ("encoder_attn_layer_norm",)
    yield "ffn/linear_0", ("fc1",)
    yield "ffn/linear_1", ("fc2",)
    yield "ffn/layer_norm", ("final_layer_norm",)


def _weights(variables: Variables, network: MarianMTModel) -> Iterator[tuple[str, Tensor]]:
    """The weights by their names in transformers.

    Raises:
        ValueError: one is missing.
    """
    for name, parts in layer_names(network):
        if name not in variables.values:
            raise ValueError(f"{name} is missing")
        for part, value in zip(parts, np.split(variables.values[name], len(parts)), strict=True):
            yield part, tensor(value)
    vocabulary = int(network.config.vocab_size)
    source, target = (_with_pad(variables.values[name], vocabulary) for name in _TABLES)
    yield "model.encoder.embed_tokens.weight", source
    yield "model.decoder.embed_tokens.weight", target
    yield "lm_head.weight", target
    if network.config.share_encoder_decoder_embeddings:
        yield "model.shared.weight", target
    if (bias := variables.values.get("decoder/projection/bias")) is not None:
        yield "final_logits_bias", _with_pad(bias[:, None], vocabulary).T


def _with_pad(rows: np.ndarray, count: int) -> Tensor:
    """Rows [n, d] with a row of zeros for `<pad>`, [count, d]: Marian's decoder begins with its zero vector."""
    whole = np.zeros((count, *rows.shape[1:]), np.float32)
    whole[: min(len(rows), count - 1)] = rows[: count - 1]
    return torch.from_numpy(whole)


def tensor(value: np.ndarray) -> Tensor:
    """A float32 tensor of its own."""
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))


def _other_names() -> set[str]:
    """Names that are no part of a layer."""
    settings = {f"{stack}/{name}" for stack in STACKS for name in _SETTINGS}
    return settings | {*_TABLES, "decoder/projection/weight", "decoder/projection/bias"}
