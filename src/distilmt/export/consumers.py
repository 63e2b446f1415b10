"""Greedy translation with exports in their own runtimes: transformers and ONNX Runtime.

This is neither fast nor the best quality; it checks that an export gives the same translations as its model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import MarianMTModel

from distilmt.export.graphs import DECODER, ENCODER, cache_names
from distilmt.inference.tokenization import load_auto_tokenizer
from distilmt.utils.run_dir import read_json

_BATCH = 32


def by_transformers(directory: Path, texts: Sequence[str]) -> list[str]:
    """Translate with a directory in safetensors and transformers' `generate`.

    Args:
        directory: written by `export_huggingface`, or a student of a run.
        texts: one sentence each.
    """
    model = MarianMTModel.from_pretrained(directory, use_safetensors=True, dtype=torch.float32).eval()
    return greedy_translate(model, load_auto_tokenizer(directory), texts)


def greedy_translate(model: MarianMTModel, tokenizer: Any, texts: Sequence[str]) -> list[str]:
    """Translate with transformers' `generate`, greedily, up to the model's positions; `<pad>` is never generated.

    Args:
        model: in eval mode.
        tokenizer: transformers' own.
        texts: one sentence each.
    """

    @torch.inference_mode()
    def translate(batch: list[str]) -> list[str]:
        output_ids = model.generate(
            **tokenizer(batch, return_tensors="pt", padding=True),
            num_beams=1,
            do_sample=False,
            max_length=model.config.max_position_embeddings,
            bad_words_ids=[[model.config.pad_token_id]],
            forced_eos_token_id=None,
        )
        return list(tokenizer.batch_decode(output_ids, skip_special_tokens=True))

    return _in_batches(translate, texts)


def by_onnxruntime(directory: Path, texts: Sequence[str], quantized: bool = False) -> list[str]:
    """Translate with a directory of `export_onnx`, ONNX Runtime and `tokenizer.json`.

    Args:
        directory: the export.
        texts: one sentence each.
        quantized: use the int8 weights, with batches of one: the int8 range of activations is shared by a batch.
    """
    model = OnnxModel(directory, "_quantized" if quantized else "")

    def translate(batch: list[str]) -> list[str]:
        encoded = model.source.encode_batch(batch)
        ids, mask = (np.array([getattr(e, name) for e in encoded], np.int64) for name in ("ids", "attention_mask"))
        output_ids: list[list[int]] = model.generate(ids, mask).tolist()
        return list(model.target.decode_batch(output_ids, skip_special_tokens=True))

    return _in_batches(translate, texts, 1 if quantized else _BATCH)


class OnnxModel:
    """Both graphs and both tokenizers of a directory."""

    def __init__(self, directory: Path, suffix: str) -> None:
        from tokenizers import Tokenizer

        self.config: dict[str, Any] = read_json(directory / "config.json")
        self.source = Tokenizer.from_file(str(directory / "tokenizer.json"))
        own = directory / "target" / "tokenizer.json"
        self.target = Tokenizer.from_file(str(own)) if own.exists() else self.source
        self.source.enable_padding(pad_id=self.config["pad_token_id"], pad_token="<pad>")
        self.encoder, self.decoder = onnx_sessions(directory, suffix)

    def generate(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Greedy hypotheses [B, T], padded with `<pad>`, of sources [B, S] with mask [B, S]."""
        states = self.encoder.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        memory = {"encoder_attention_mask": mask, "encoder_hidden_states": states}
        prompt = np.full((len(ids), 1), self.config["pad_token_id"])
        return greedy_ids(self.decoder, self.config, memory, prompt, self.config["max_position_embeddings"] - 1)


def onnx_sessions(directory: Path, suffix: str) -> list[Any]:
    """Encoder and decoder of an export, for ONNX Runtime; the suffix of int8 weights is `_quantized`."""
    import onnxruntime

    paths = [str(directory / "onnx" / f"{name}{suffix}.onnx") for name in (ENCODER, DECODER)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the matrices are small: more threads would wait for each other
    return [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths]


def greedy_ids(
    decoder: Any, config: Mapping[str, Any], memory: Mapping[str, np.ndarray], prompt: np.ndarray, limit: int
) -> np.ndarray:
    """Greedy hypotheses [B, T], padded with `<pad>`.

    Args:
        decoder: the session of a decoder.
        config: the model's, of transformers.
        memory: the decoder's inputs that come from the encoder.
        prompt: the first tokens [B, tokens] int64.
        limit: maximum number of tokens.
    """
    pad, end = config["pad_token_id"], config["eos_token_id"]
    cache, token, ended = _empty_cache(config, len(prompt)), prompt, np.zeros((len(prompt), 1), bool)
    steps = []
    for _ in range(limit):
        logits, *present = decoder.run(None, {"input_ids": token, **memory, **cache})
        cache = dict(zip(cache, present, strict=True))
        token = np.where(ended, pad, logits[:, -1:].argmax(-1))
        steps.append(token)
        ended |= token == end
        if ended.all():
            break
    return np.concatenate(steps, 1)


def _empty_cache(config: Mapping[str, Any], batch: int) -> dict[str, np.ndarray]:
    heads = config["decoder_attention_heads"]
    nothing = np.zeros((batch, heads, 0, config["d_model"] // heads), np.float32)
    return {f"past_key_values.{name}": nothing for name in cache_names(config["decoder_layers"])}


def _in_batches(translate: Callable[[list[str]], list[str]], texts: Sequence[str], size: int = _BATCH) -> list[str]:
    """Translations in the order of the texts, from batches of similar length; empty texts are not translated."""
    translations = [""] * len(texts)
    order = sorted((i for i, text in enumerate(texts) if text.strip()), key=lambda i: len(texts[i]))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        for row, text in zip(rows, translate([texts[i] for i in rows]), strict=True):
            translations[row] = text
    return translations
