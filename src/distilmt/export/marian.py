"""Marian models in Marian's own format, for marian-decoder and pymarian.

    model.npz       weights under Marian's names, and the model's options
    source.spm, target.spm  or  source.yml, target.yml      vocabularies
    decoder.yml     options of marian-decoder

Names and transposition of matrices are the inverse of transformers' `convert_marian_to_pytorch.py`. Marian has no
`<pad>`: its rows are left out, and the decoder starts from a zero vector.

Marian computes position embeddings with slightly different frequencies than transformers' Marian (the exponents end at
d/2 - 1 instead of d/2). It cannot load a suitable table (its trained positions start at zero for every decoded token).
Some translations therefore differ; everything else is equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from transformers import MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.data.tokenizer import LanguageTokenizer, Tokenizer
from distilmt.export.base import NotRun, TrainedModel, require_marian, require_packages
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory

_SELF = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "out_proj": "o"}
_ACTIVATIONS = {"relu": "relu", "swish": "swish", "silu": "swish", "gelu": "gelu"}
_FIXED: dict[str, Any] = {
    "type": "transformer",
    "version": "v1.12.0",
    "input-types": ["sequence"],
    "dim-rnn": 1024,
    "enc-type": "bidirectional",
    "enc-cell": "gru",
    "enc-cell-depth": 1,
    "dec-cell": "gru",
    "dec-cell-base-depth": 2,
    "dec-cell-high-depth": 1,
    "skip": False,
    "layer-normalization": False,
    "right-left": False,
    "tied-embeddings": True,
    "output-omit-bias": False,
    "lemma-dim-emb": 0,
    "ulr": False,
    "ulr-dim-emb": 0,
    "ulr-trainable-transformation": False,
    "transformer-decoder-dim-ffn": 0,
    "transformer-ffn-depth": 2,
    "transformer-decoder-ffn-depth": 0,
    "transformer-no-projection": False,
    "transformer-no-bias": False,
    "transformer-no-affine": False,
    "transformer-pool": False,
    "transformer-dim-aan": 2048,
    "transformer-aan-depth": 2,
    "transformer-aan-activation": "swish",
    "transformer-aan-nogate": False,
    "transformer-decoder-autoreg": "self-attention",
    "transformer-tied-layers": [],
    "transformer-guided-alignment-layer": "last",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-train-position-embeddings": False,
    "transformer-depth-scaling": False,
}
"""Marian's options that are equal for all models."""
_USE = """
```bash
marian-decoder --config DIRECTORY/decoder.yml < source.txt
```

```python
from pymarian import Translator

translator = Translator("--config DIRECTORY/decoder.yml --cpu-threads 1 --quiet")
print(translator.translate(["Text to translate."]))
```
"""
_POSITIONS = """
Marian computes position embeddings with slightly different frequencies than in training: some translations differ from
those of the other exports.
"""
_PIECES = """
The ids of SentencePiece and of the model differ: input and output are tokens of `source.spm` and `target.spm`. `sed`
replaces `</s>` in the input, which would end the sentence.

```bash
spm_encode --model DIRECTORY/source.spm < source.txt | sed 's,</s>,<unk>,g' \\
  | marian-decoder --config DIRECTORY/decoder.yml | spm_decode --model DIRECTORY/target.spm
```
"""


def export_marian(model: MarianMTModel, tokenizer: Tokenizer, directory: Path, card: ModelCard) -> None:
    """Write a directory for marian-decoder and pymarian, in float32, atomically.

    Args:
        model: a Marian model in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.

    Raises:
        UserError: Marian does not support the model's architecture.
    """
    options = _options(model, tokenizer)
    own = all(_numbered_alike(side) for side in (tokenizer.source, tokenizer.target))
    with atomic_directory(directory) as temporary:
        with (temporary / "model.npz").open("wb") as file:
            np.savez(file, **_weights(model, tokenizer), **{"special:model.yml": _as_bytes(options)})  # type: ignore[arg-type]
        names = _write_vocabularies(tokenizer, temporary, own)
        (temporary / "decoder.yml").write_text(yaml.safe_dump(_decoder(model, names)), encoding="utf-8")
        write_card(temporary, card, Form("Marian", "marian", (_USE if own else _PIECES) + _POSITIONS))


def _numbered_alike(side: LanguageTokenizer) -> bool:
    """Whether SentencePiece's ids are the model's, so that Marian can tokenize texts itself."""
    size = side.processor.get_piece_size()
    return bool((side.to_model[:size] == np.arange(size)).all())


def _size(side: LanguageTokenizer) -> int:
    """Rows of Marian's embedding: without `<pad>` and without padding tokens."""
    size = side.processor.get_piece_size()
    return size if _numbered_alike(side) else len(side.tokens) - 1


def _write_vocabularies(tokenizer: Tokenizer, directory: Path, own: bool) -> list[str]:
    for name in ("source.spm", "target.spm"):
        (directory / name).write_bytes((tokenizer.directory / name).read_bytes())
    if own:
        return ["source.spm", "target.spm"]
    for name, side in (("source.yml", tokenizer.source), ("target.yml", tokenizer.target)):
        ids = {piece: i for i, piece in enumerate(side.tokens[: _size(side)])}
        text = yaml.safe_dump(ids, allow_unicode=True, sort_keys=False, default_style='"', width=1 << 20)
        (directory / name).write_text(text.replace('!!int "', "").replace('"\n', "\n"), encoding="utf-8")
    return ["source.yml", "target.yml"]


def _weights(model: MarianMTModel, tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """Marian's names and weights; all have two dimensions."""
    sizes = _size(tokenizer.source), _size(tokenizer.target)
    tensors = {"decoder_ff_logit_out_b": model.final_logits_bias[:, : sizes[1]]}
    if tokenizer.shared:
        tensors["Wemb"] = model.lm_head.weight[: sizes[1]]
    else:
        tensors["encoder_Wemb"] = model.model.encoder.embed_tokens.weight[: sizes[0]]
        tensors["decoder_Wemb"] = model.model.decoder.embed_tokens.weight[: sizes[1]]
    for name, stack in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
        for number, layer in enumerate(stack.layers, 1):
            tensors |= {f"{name}_l{number}_{key}": value for key, value in _layer(layer).items()}
    arrays = {key: value.detach().float().numpy() for key, value in tensors.items()}
    return {key: np.ascontiguousarray(np.atleast_2d(value), dtype=np.float32) for key, value in arrays.items()}


def _layer(layer: Any) -> dict[str, Any]:
    tensors = _attention("self", layer.self_attn, layer.self_attn_layer_norm)
    if hasattr(layer, "encoder_attn"):
        tensors |= _attention("context", layer.encoder_attn, layer.encoder_attn_layer_norm)
    norm = layer.final_layer_norm
    return tensors | {
        "ffn_W1": layer.fc1.weight.T,
        "ffn_b1": layer.fc1.bias,
        "ffn_W2": layer.fc2.weight.T,
        "ffn_b2": layer.fc2.bias,
        "ffn_ffn_ln_scale": norm.weight,
        "ffn_ffn_ln_bias": norm.bias,
    }


def _attention(name: str, attention: Any, norm: Any) -> dict[str, Any]:
    tensors = {f"{name}_Wo_ln_scale": norm.weight, f"{name}_Wo_ln_bias": norm.bias}
    for attribute, marian_name in _SELF.items():
        tensors[f"{name}_W{marian_name}"] = getattr(attention, attribute).weight.T
        tensors[f"{name}_b{marian_name}"] = getattr(attention, attribute).bias
    return tensors


def _options(model: MarianMTModel, tokenizer: Tokenizer) -> dict[str, Any]:
    """Marian's options of the model; encoder and decoder must have equal values where Marian has one option."""
    config = model.config
    heads = {config.encoder_attention_heads, config.decoder_attention_heads}
    widths = {config.encoder_ffn_dim, config.decoder_ffn_dim}
    if len(heads) > 1 or len(widths) > 1 or config.activation_function not in _ACTIVATIONS:
        raise UserError(
            "Marian needs equal numbers of heads and equal feed-forward widths in encoder and decoder, and one of the "
            f"activations {', '.join(_ACTIVATIONS)}: export to transformers or ONNX instead"
        )
    if not (config.scale_embedding and config.tie_word_embeddings):
        raise UserError("Marian exports need scaled and tied embeddings: export to transformers or ONNX instead")
    return _FIXED | {
        "dim-vocabs": [_size(tokenizer.source), _size(tokenizer.target)],
        "dim-emb": config.d_model,
        "enc-depth": config.encoder_layers,
        "dec-depth": config.decoder_layers,
        "tied-embeddings-src": tokenizer.shared,
        "tied-embeddings-all": tokenizer.shared,
        "transformer-heads": heads.pop(),
        "transformer-dim-ffn": widths.pop(),
        "transformer-ffn-activation": _ACTIVATIONS[config.activation_function],
    }


def _as_bytes(options: dict[str, Any]) -> np.ndarray:
    """Marian's encoding of options among the weights: YAML as bytes, terminated by a zero."""
    return np.frombuffer(yaml.safe_dump(options).encode() + b"\0", dtype=np.int8)


def _decoder(model: MarianMTModel, vocabularies: list[str]) -> dict[str, Any]:
    return {
        "models": ["model.npz"],
        "vocabs": vocabularies,
        "relative-paths": True,
        "beam-size": 4,
        "normalize": 1.0,
        "word-penalty": 0.0,
        "mini-batch": 32,
        "maxi-batch": 100,
        "maxi-batch-sort": "src",
        "max-length": model.config.max_position_embeddings - 1,
        "max-length-crop": True,
    }


class MarianExporter:
    """Marian's own format, in float32."""

    suffix = "-marian"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`: the program `marian` supports every Marian student that a run trains."""
        require_marian("marian", config)
        require_packages("marian", ("numpy", "yaml"))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_marian(trained.network, trained.tokenizer, path, trained.card)

    def translate(self, path: Path, texts: Sequence[str]) -> NotRun:
        """Not here: Marian is no Python package."""
        return NotRun("marian-decoder is a separate program")


EXPORTER = MarianExporter()
