"""Workload of the arms of a benchmark: one tokenized text, and a model of random weights as common start."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import yaml
from transformers import MarianMTModel

from distilmt.config import ModelConfig, TokenizerConfig
from distilmt.data.readers.files import read_pairs
from distilmt.data.tokenizer import Tokenizer, load, train
from distilmt.models.architectures import new_model
from distilmt.models.marian import marian_config
from distilmt.training.batching import Ragged

PIECES = 8000
SMALL = ModelConfig(None, 256, 1024, 4, 3, 3, max_positions=128)
BIG = ModelConfig(None, 512, 2048, 8, 6, 6, max_positions=128)


def pairs_of(paths: list[str]) -> list[tuple[str, str]]:
    """Sentence pairs of two parallel files, without pairs with an empty side."""
    result = ((pair.source.strip(), pair.target.strip()) for pair in read_pairs(paths, "en", "de"))
    return [pair for pair in result if all(pair)]


def prepare(work: Path, pairs: list[tuple[str, str]], valid: list[tuple[str, str]], seed: int = 1) -> Tokenizer:
    """Tokenize the text: ids for the arms in Python, tokens and a vocabulary for Marian."""
    if not (work / "tokenizer" / "vocab.json").exists():
        shutil.rmtree(work, ignore_errors=True)
        (work / "tokenizer").mkdir(parents=True)
        sources, targets = ([pair[i] for pair in pairs] for i in (0, 1))
        config = TokenizerConfig(vocab_size=PIECES, vocab_sharing="shared")
        train(sources, targets, config, work / "tokenizer", seed)
    tokenizer = load(work / "tokenizer")
    for part, chosen in (("train", pairs), ("valid", valid)):
        save(work, part, tokenizer, chosen)
    vocabulary = {piece: i for i, piece in enumerate(tokenizer.target.tokens)}
    (work / "vocabulary.yml").write_text(yaml.safe_dump(vocabulary, allow_unicode=True), encoding="utf-8")
    return tokenizer


def save(work: Path, part: str, tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    arrays = {}
    for i, (name, side) in enumerate((("source", tokenizer.source), ("target", tokenizer.target))):
        ids = side.encode([pair[i] for pair in pairs])
        lines = (" ".join(side.tokens[i] for i in row[:-1]) + "\n" for row in ids)
        (work / f"{part}.{name}").write_text("".join(lines), encoding="utf-8")
        ragged = Ragged.of(ids)
        arrays |= {f"{name}_flat": ragged.flat, f"{name}_offsets": ragged.offsets}
    np.savez(work / f"{part}.npz", **arrays)


def add_model(
    work: Path, name: str, shape: ModelConfig, tokenizer: Tokenizer, seed: int = 1, vocabulary: int | None = None
) -> None:
    """A model of random weights in `work/name`; `vocabulary` overrides the tokenizer's size."""
    if vocabulary is None:
        (work / name).mkdir(parents=True, exist_ok=True)
        new_model(shape, tokenizer, 0.0, seed).save(work / name)
        return
    torch.manual_seed(seed)
    config = marian_config(shape, tokenizer, 0.0)
    config.vocab_size = config.decoder_vocab_size = vocabulary
    config.pad_token_id = config.decoder_start_token_id = vocabulary - 1
    MarianMTModel(config).save_pretrained(work / name)


def random_ids(work: Path, like: Path, vocabulary: int, seed: int = 1) -> None:
    """Sentences as long as those of another workload, with random tokens of a larger vocabulary."""
    work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with np.load(like / "train.npz") as data:
        arrays = dict(data)
    for name in ("source_flat", "target_flat"):
        arrays[name] = rng.integers(2, vocabulary - 1, len(arrays[name]), dtype=np.int32)
    np.savez(work / "train.npz", **arrays)
