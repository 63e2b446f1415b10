"""Marian models as directories that `transformers` opens with `from_pretrained`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import GenerationConfig, MarianMTModel

from distilmt.export.card import Card, Form, write_card
from distilmt.rundir import atomic_directory, read_json, write_json
from distilmt.tokenizer import EOS, Tokenizer

Precision = Literal["float32", "float16", "bfloat16"]
_USE = """
```python
from transformers import AutoTokenizer, MarianMTModel

tokenizer, model = AutoTokenizer.from_pretrained("DIRECTORY"), MarianMTModel.from_pretrained("DIRECTORY")
batch = tokenizer(["Text to translate."], return_tensors="pt", padding=True)
print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))
```
"""


def export_transformers(
    model: MarianMTModel, tokenizer: Tokenizer, directory: Path, card: Card, precision: Precision = "float32"
) -> None:
    """Write a directory for `MarianMTModel.from_pretrained` and `AutoTokenizer`, whole or not at all.

    Args:
        model: a Marian model in float32; it is left as it is.
        tokenizer: the tokenizer it was trained with.
        directory: what is written; an older export there is replaced.
        card: what is said about it.
        precision: type of the weights.
    """
    model = copy.deepcopy(model).to(getattr(torch, precision))  # type: ignore[arg-type]
    model.generation_config = generation_config(model, beams=4)
    with atomic_directory(directory) as temporary:
        model.save_pretrained(temporary)
        write_tokenizer(tokenizer, temporary, int(model.config.max_position_embeddings))
        write_card(temporary, card, Form(f"transformers, {precision}", "transformers", _USE))


def save_marian(model: MarianMTModel, tokenizer: Tokenizer, directory: Path) -> None:
    """Write a model and its tokenizer as they lie in a run, so that transformers' `generate` decodes as exports do."""
    model.generation_config = generation_config(model, beams=4)
    model.save_pretrained(directory)
    write_tokenizer(tokenizer, directory, int(model.config.max_position_embeddings))


def write_tokenizer(tokenizer: Tokenizer, directory: Path, max_positions: int) -> None:
    """Put a tokenizer beside a model, with what makes `AutoTokenizer` read it, and the model's own longest text."""
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
        "split_special_tokens": True,  # `</s>` in a text is text, not its end
    }
    write_json(path, config)


def generation_config(model: MarianMTModel, beams: int) -> GenerationConfig:
    """How the model is to be decoded, for programs that read it from a file: `<pad>` is never a word."""
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
