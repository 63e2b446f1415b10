"""A training of a few updates."""

from __future__ import annotations

import torch

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.models.architectures import new_model
from distilmt.training.batching import Ragged, TargetSide, TrainingSet
from distilmt.training.trainer import TrainingJob
from helpers import toy

CONFIG = TrainingConfig(
    max_steps=20, batch_tokens=400, learning_rate=5e-3, warmup_steps=4, eval_steps=5, precision="fp32", ema_decay=0.9
)


REFERENCES = ObjectiveConfig(kd_weight=0, ce_weight=1, reference_fraction=1)


def job(tokenizer, config=CONFIG, count=120, seed=1):
    sources, targets = toy.pairs(count)
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
