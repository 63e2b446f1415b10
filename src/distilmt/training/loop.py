"""The training loop that teacher, student and baseline share: interruptible, resumable, and aware of its end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor
from transformers import MarianMTModel

from distilmt import progress
from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.errors import UserError
from distilmt.objectives.loss import Statistics, Targets
from distilmt.rundir import atomic_path
from distilmt.training.batching import TrainingSet, collate, epoch_batches
from distilmt.training.forward import Batch
from distilmt.training.optimizer import learning_rate, load_flat
from distilmt.training.stepper import Stepper

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"

Validate = Callable[[MarianMTModel], dict[str, float]]


@dataclass
class TrainState:
    """Where training stands; kept in the checkpoint."""

    update: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0
    best_score: float = -math.inf
    best_update: int = 0
    stalls: int = 0
    stopped: bool = False
    log: list[dict[str, float]] = field(default_factory=list)

    def position(self, config: TrainingConfig) -> float:
        """Where the schedule stands, in updates: further than `update` when time runs out faster."""
        spent = self.seconds / config.seconds * config.updates if config.seconds else 0.0
        return min(float(config.updates), max(float(self.update), spent))


@dataclass
class Running:
    """Sums since the last line of the log."""

    nll: Tensor | float = 0.0
    word: Tensor | float = 0.0
    entropy: Tensor | float = 0.0
    tokens: int = 0
    updates: int = 0
    begin: float = field(default_factory=time.monotonic)

    def add(self, statistics: Statistics, tokens: int) -> None:
        """Count an update in; sums stay tensors, so that a GPU is not waited for."""
        self.nll += statistics.nll
        self.word += statistics.word
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
            "word_loss": (float(self.word) - float(self.entropy)) / tokens,
            "learning_rate": learning_rate(config, max(1, state.update), state.position(config)),
            "tokens_per_second": tokens / seconds,
        }


@dataclass
class Job:
    """One training: what is trained, on what, how."""

    name: str
    data: TrainingSet
    config: TrainingConfig
    objective: ObjectiveConfig
    seed: int
    teacher: MarianMTModel | None = None
    """Where the objective asks for its states; it is put on the device and into the precision of the training."""
    bits: int = 0
    """Above 0 the model learns with weights rounded to so many bits (quantisation-aware training)."""
    keep_zeros: bool = False
    """Weights of matrices that are zero in the beginning stay zero: a model that was pruned stays sparse."""


def train(model: MarianMTModel, job: Job, validate: Validate, directory: Path) -> tuple[MarianMTModel, dict[str, Any]]:
    """Train a model; go on from `directory/checkpoint.safetensors` if it is there.

    Args:
        model: fresh weights, float32.
        job: data and settings.
        validate: scores of a model by greedy decoding, with the key `job.config.metric`.
        directory: where checkpoints go; the caller removes them with `clear` once it has kept the model.

    Returns:
        A model with the best averaged weights, float32, on the CPU; and the log and the best update.

    Raises:
        UserError: no sentence can be trained on.
    """
    run = _Run(model, job, validate, directory)
    run.resume()
    with progress.task(f"training {job.name}", job.config.updates, "updates", run.state.update) as bar:
        for batch, targets in run.batches():
            run.update(batch, targets)
            bar.advance(1, **run.status())
            if run.state.stopped:
                break
    return run.finish()


class _Run:
    """A training under way: the stepper, the state and the sums that change with every update."""

    def __init__(self, model: MarianMTModel, job: Job, validate: Validate, directory: Path) -> None:
        self.job, self.validate, self.directory = job, validate, directory
        self.stepper = Stepper(model, job.config, job.objective, job.seed, job.teacher, job.bits)
        self.optimizer = self.stepper.optimizer
        if job.keep_zeros:
            self.optimizer.keep_zeros()
        # A second model holds the averaged weights in float32: what is validated is what is kept.
        self.averaged = MarianMTModel(model.config)
        self.averaged.final_logits_bias.copy_(model.final_logits_bias)
        self.state, self.running = TrainState(), Running()
        self.saved = time.monotonic()

    def batches(self) -> Iterator[tuple[Batch, Targets]]:
        """Batches from where the state stands until the last update."""
        data, config, state = self.job.data, self.job.config, self.state
        while state.position(config) < config.updates and not state.stopped:
            plan = epoch_batches(data, config.batch_tokens, self.job.seed, state.epoch)
            if not plan:
                raise UserError(
                    f"{self.job.name}: no sentence is left to train on (all are empty, longer than "
                    f"{data.max_length} tokens, or the teacher's answers unusable): look at the corpus and the labels"
                )
            for rows, use_reference in plan[state.batch :]:
                yield collate(data, rows, use_reference)
                if state.position(config) >= config.updates or state.stopped:
                    return
            state.epoch, state.batch = state.epoch + 1, 0

    def update(self, batch: Batch, targets: Targets) -> None:
        """One optimizer step, and what is due after it: validation, a checkpoint."""
        begin, state = time.monotonic(), self.state
        state.update, state.batch = state.update + 1, state.batch + 1
        position = state.position(self.job.config)
        self.running.add(self.stepper.update(state.update, batch, targets, position), len(targets.ids))
        state.seconds += time.monotonic() - begin
        self._due()

    def _due(self) -> None:
        config, state = self.job.config, self.state
        if state.position(config) >= config.updates or state.update % config.validate_every == 0:
            self._validate()
        elif time.monotonic() - self.saved > config.save_seconds:
            self.save()

    def _validate(self) -> None:
        state, config = self.state, self.job.config
        line = self.running.line(state, config)
        begin = time.monotonic()
        load_flat(self.averaged, self.optimizer.average.cpu())
        line |= self.validate(self.averaged)
        state.log.append(line)
        if line[config.metric] > state.best_score:
            state.best_score, state.best_update, state.stalls = line[config.metric], state.update, 0
            _write_tensors(self.directory / BEST, {"average": self.optimizer.average}, {})
        else:
            state.stalls += 1
        state.stopped = bool(config.patience) and state.stalls >= config.patience
        spent = time.monotonic() - begin
        state.seconds, state.validation_seconds = state.seconds + spent, state.validation_seconds + spent
        scores = f"BLEU {line['bleu']:.2f}, chrF {line['chrf']:.2f}" if "bleu" in line else str(state.best_score)
        progress.say(f"{self.job.name}: update {state.update}, loss {line['train_loss']:.3f}, validation {scores}")
        self.running = Running()
        self.save()

    def status(self) -> dict[str, object]:
        """What the progress bar shows."""
        if self.running.updates % 10 or not self.running.tokens:
            return {}
        line = self.running.line(self.state, self.job.config)
        return {"loss": round(line["train_loss"], 3), "tok/s": int(line["tokens_per_second"])}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {"state": json.dumps(asdict(self.state))}
        _write_tensors(self.directory / CHECKPOINT, self.stepper.state(), state)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint if there is one."""
        path = self.directory / CHECKPOINT
        if not path.exists():
            return
        with safetensors.safe_open(path, "pt") as file:
            self.state = TrainState(**json.loads(file.metadata()["state"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.stepper.load_state(tensors, self.state.update)
        progress.say(f"{self.job.name}: going on from update {self.state.update}")

    def finish(self) -> tuple[MarianMTModel, dict[str, Any]]:
        """The best averaged model, and what there is to tell of its training."""
        best = self.directory / BEST
        flat = safetensors.torch.load_file(best)["average"] if best.exists() else self.optimizer.average.cpu()
        load_flat(self.averaged, flat)
        state = self.state
        return self.averaged, {
            "updates": state.update,
            "best_update": state.best_update,
            "best_score": state.best_score,
            "train_seconds": round(state.seconds, 1),
            "validation_seconds": round(state.validation_seconds, 2),
            "log": state.log,
        }


def clear(directory: Path) -> None:
    """Remove the checkpoints of a finished training."""
    for name in (CHECKPOINT, BEST):
        (directory / name).unlink(missing_ok=True)


def _write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with atomic_path(path) as temporary:
        whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        safetensors.torch.save_file(whole, temporary, metadata)
