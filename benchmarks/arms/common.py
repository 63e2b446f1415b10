"""Common parts of the arms. An arm is a program that does one thing for a limited time and prints one line of JSON.

Arms run in the environment of the compared libraries, each in a new process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import MarianMTModel


@dataclass
class Spec:
    """Input of an arm: the workload, the time limit, and the settings that are the same for all arms."""

    work: str
    seconds: float = 20.0
    """How long is measured, after `warm` updates; not used where `updates` is given."""
    warm: int = 10
    updates: int | None = None
    """Train exactly so many updates instead, and save the model in `save`."""
    save: str | None = None
    seed: int = 1
    batch_tokens: int = 2048
    learning_rate: float = 0.001
    warmup: int = 100
    dropout: float = 0.1
    label_smoothing: float = 0.1
    bf16: bool = False
    optimizer: str = "adam"
    top_k: int = 0
    """Above 0: learn from stored labels of so many words a position."""
    options: dict[str, Any] = field(default_factory=dict)


def given() -> Spec:
    """The settings from the command line."""
    return Spec(**json.loads(sys.argv[1]))


def sequences(work: str, part: str, side: str) -> list[list[int]]:
    """Token ids of all sentences of one side, with `</s>`."""
    with np.load(Path(work) / f"{part}.npz") as data:
        flat, offsets = data[f"{side}_flat"], data[f"{side}_offsets"]
    return [flat[a:b].tolist() for a, b in pairwise(offsets)]


def padded(rows: list[list[int]], value: int) -> torch.Tensor:
    """Id sequences as one matrix, padded with `value` at the end."""
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def begun(spec: Spec) -> MarianMTModel:
    """The initial weights of all arms; sinusoidal positions are not trained, unlike in `from_pretrained`."""
    model = MarianMTModel.from_pretrained(f"{spec.work}/model", dropout=spec.dropout)
    for side in (model.model.encoder, model.model.decoder):
        side.embed_positions.weight.requires_grad_(False)
    return model


@dataclass
class Clock:
    """Counts target tokens and seconds from the first update after the warm-up to the time limit."""

    spec: Spec
    update: int = 0
    tokens: int = 0
    begin: float = 0.0
    seconds: float = 0.0

    def over(self, tokens: int) -> bool:
        """Count an update with this number of target tokens; return whether it was the last."""
        self.update += 1
        if self.update <= self.spec.warm:
            self.begin = self._now() if self.update == self.spec.warm else time.perf_counter()
            return False
        self.tokens += tokens
        self.seconds = time.perf_counter() - self.begin
        over = self.seconds >= self.spec.seconds if self.spec.updates is None else self.update >= self.spec.updates
        if over:
            self.seconds = self._now() - self.begin
        return over

    def _now(self) -> float:
        """The time after the GPU has finished all queued work."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def report(self, more: dict[str, Any] | None = None) -> None:
        """Print the arm's line of JSON, extended by `more`."""
        measured = self.update - self.spec.warm
        print(
            json.dumps(
                {
                    "tokens_per_second": self.tokens / self.seconds,
                    "seconds_per_update": self.seconds / measured,
                    "tokens_per_update": self.tokens / measured,
                    "updates": self.update,
                    "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                    **(more or {}),
                }
            )
        )
