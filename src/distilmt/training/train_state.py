"""Progress of a training, and sums of its losses for the log."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from torch import Tensor

from distilmt.config import TrainingConfig
from distilmt.losses.distillation import Statistics
from distilmt.training.optimizer import learning_rate
from distilmt.utils.errors import UserError


@dataclass
class TrainState:
    """Progress of a training; part of the checkpoint."""

    update: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0
    best_score: float = -math.inf
    best_update: int = 0
    stalls: int = 0
    stopped: bool = False
    threads: int = 0
    """CPU threads. A resumed training uses the same number, because it affects rounding."""
    log: list[dict[str, float]] = field(default_factory=list)

    def position(self, config: TrainingConfig) -> float:
        """Position in the schedule, in updates: above `update` if the time limit comes before the last update."""
        elapsed = self.seconds / config.max_seconds * config.max_steps if config.max_seconds else 0.0
        return min(float(config.max_steps), max(float(self.update), elapsed))


@dataclass
class MetricAccumulator:
    """Sums since the last line of the log."""

    nll: Tensor | float = 0.0
    """Scalars, as in `Statistics`."""
    distillation: Tensor | float = 0.0
    entropy: Tensor | float = 0.0
    tokens: int = 0
    """Target tokens of all updates."""
    updates: int = 0
    begin: float = field(default_factory=time.monotonic)

    def add(self, statistics: Statistics, tokens: int) -> None:
        """Add an update's statistics. Sums stay tensors, so that this does not wait for the GPU."""
        self.nll += statistics.nll
        self.distillation += statistics.distillation
        self.entropy += statistics.entropy
        self.tokens += tokens
        self.updates += 1

    def line(self, state: TrainState, config: TrainingConfig) -> dict[str, float]:
        """Means per target token, as one line of the log."""
        seconds = max(1e-9, time.monotonic() - self.begin)
        tokens = max(1, self.tokens)
        return {
            "update": state.update,
            "seconds": round(state.seconds, 1),
            "train_loss": float(self.nll) / tokens,
            "distillation_loss": (float(self.distillation) - float(self.entropy)) / tokens,
            "learning_rate": learning_rate(config, max(1, state.update), state.position(config)),
            "tokens_per_second": tokens / seconds,
        }


def check_finite(value: float, name: str, training: str, update: int, config: TrainingConfig) -> None:
    """Stop a training that has diverged before it saves anything.

    Raises:
        UserError: the value is NaN or infinite.
    """
    if not math.isfinite(value):
        key = f"{'teacher' if training == 'teacher' else 'student'}.training"
        raise UserError(
            f"{training}: the {name} is not finite at update {update}: lower {key}.learning_rate "
            f"({config.learning_rate:g}), or raise {key}.warmup_steps; the diverged weights are not saved"
        )
