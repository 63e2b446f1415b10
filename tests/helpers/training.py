"""A training of a few updates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.export.ctranslate2 import export
from distilmt.models.architectures import new_model
from distilmt.models.marian_checkpoint import load_marian
from distilmt.training.batching import Ragged, TargetSide, TrainingSet
from distilmt.training.trainer import TrainingJob, train
from helpers import toy

CONFIG = TrainingConfig(
    max_steps=20, batch_tokens=400, learning_rate=5e-3, warmup_steps=4, eval_steps=5, precision="fp32", ema_decay=0.9
)


REFERENCES = ObjectiveConfig(kd_weight=0, ce_weight=1, reference_fraction=1)


def job(tokenizer, config=CONFIG, count=120, seed=1, corpus_seed=0):
    sources, targets = toy.pairs(count, seed=corpus_seed)
    encoded = Ragged.of(tokenizer.target.encode(targets))
    source = Ragged.of(tokenizer.source.encode(sources))
    side = TargetSide(encoded, encoded.lengths > 1)
    data = TrainingSet(source, side, None, tokenizer.pad, 1.0, 64)
    return TrainingJob("toy", data, config, REFERENCES, seed)


def model(tokenizer, seed=1):
    return new_model(toy.MICRO, tokenizer, 0.1, seed)


def improving(calls=0):
    """A validation whose score always rises; it was called so many times before."""
    calls = iter(range(calls, 10_000))
    return lambda _: {"bleu": float(next(calls)), "chrf": 0.0}


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def train_toy(directory: Path, tokenizer) -> None:
    """Train a model on 800 toy pairs until it translates some, and export it as CTranslate2 to `ct2`."""
    config = TrainingConfig(
        max_steps=200,
        batch_tokens=1024,
        learning_rate=8e-3,
        warmup_steps=20,
        dropout=0.0,
        eval_steps=200,
        precision="fp32",
    )
    task = replace(job(tokenizer, config, 800, 1, corpus_seed=3), name="teacher")
    network = new_model(toy.MICRO, tokenizer, 0.0, 1)
    best, *_ = train(network, task, lambda _: {"bleu": 1.0, "chrf": 1.0}, directory)
    best.save(directory)
    tokenizer.copy_to(directory)
    export(load_marian(directory), tokenizer, directory / "ct2", "float32")
