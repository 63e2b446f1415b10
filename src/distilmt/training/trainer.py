"""The training loop of teacher, student and baseline, with validation, checkpoints and early stopping."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.ctc import initial_head
from distilmt.losses.distillation import TokenTargets
from distilmt.losses.terms import trains_encoder_alone
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch
from distilmt.training.augmentation import SourceAugmentation
from distilmt.training.batching import BatchShard, TrainingSet, collate, epoch_batches, shard_batch
from distilmt.training.checkpoint_files import BEST, CHECKPOINT, read_checkpoint, write_tensors
from distilmt.training.ctc_head import CtcHead, write_ctc_head
from distilmt.training.distributed import Ranks, current
from distilmt.training.optimizer import load_flat
from distilmt.training.train_state import MetricAccumulator, TrainState, check_finite
from distilmt.training.train_step import Stepper
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.step_results import ModelResult

logger = logging.getLogger(__name__)

# Updates between checks for NaN: reading a sum waits for the GPU.
_CHECK_EVERY = 10

Validate = Callable[[Seq2SeqModel], dict[str, float]]
OnLog = Callable[[Mapping[str, float]], None]
"""Receives a line of the log: the update and its values by name."""


@dataclass
class TrainingJob:
    """Data and settings of one training."""

    name: str
    data: TrainingSet
    config: TrainingConfig
    objective: ObjectiveConfig
    seed: int
    teacher: Seq2SeqModel | None = None
    """Needed if the objective uses its states or attention; it is moved to the training's device and precision."""
    bits: int = 0
    """Above 0, the model is trained with weights rounded to this many bits (quantization-aware training)."""
    ctc_head: CtcHead | None = None
    """The projection of CTC to start from; None: a random one."""
    keep_zeros: bool = False
    """Weights of matrices that are zero at the start stay zero: a pruned model stays sparse."""
    augmentation: SourceAugmentation | None = None
    """How the sources of `data` are disturbed; None: not at all."""

    def data_in_epoch(self, epoch: int) -> TrainingSet:
        """The training set, with the sources of an epoch."""
        return self.data if self.augmentation is None else self.augmentation.in_epoch(self.data, self.seed, epoch)


def train(
    model: Seq2SeqModel, job: TrainingJob, validate: Validate, directory: Path, on_log: OnLog | None = None
) -> tuple[Seq2SeqModel, ModelResult, list[dict[str, Any]]]:
    """Train a model on all ranks; resume from `directory/checkpoint.safetensors` if it exists.

    Args:
        model: the initial weights, float32.
        job: data and settings.
        validate: returns a model's scores by greedy decoding, including the key `job.config.metric`.
        directory: for checkpoints; the caller removes them with `clear` after it has saved the model.
        on_log: receives every line of the log when it is complete, after each validation.

    Returns:
        A model with the best averaged weights, float32, on the CPU; what is known of it; and the log.

    Raises:
        UserError: there is no usable sentence; batches have too few sentences for all ranks; or the loss or the weights
            become NaN or infinite.
    """
    ranks = current()
    if ranks.size > 1:
        _check_shares(job, ranks)
        ranks.broadcast_object((model, job))
    trainer = Trainer(model, job, ranks, validate, directory, on_log)
    trainer.resume()
    with progress.task(f"training {job.name}", job.config.max_steps, "updates", trainer.state.update) as bar:
        for batch, targets, shard in trainer.batches():
            trainer.update(batch, targets, shard)
            bar.advance(1, **trainer.status())
            if trainer.state.stopped:
                break
    return trainer.finish()


def train_worker(task: tuple[Seq2SeqModel, TrainingJob], ranks: Ranks) -> None:
    """Counterpart of `train` on the other ranks: the same updates, each rank on its shard of every batch."""
    model, job = task
    trainer = Trainer(model, job, ranks)
    trainer.resume()
    for batch, targets, shard in trainer.batches():
        trainer.update(batch, targets, shard)
    trainer.finish()


def _check_shares(job: TrainingJob, ranks: Ranks) -> None:
    tokens = job.config.batch_tokens
    most = max((len(rows) for rows, _ in epoch_batches(job.data_in_epoch(0), tokens, job.seed, 0)), default=ranks.size)
    if most < ranks.size:
        raise UserError(
            f"{job.name}: batches of {tokens} tokens contain at most {most} sentences, too few for {ranks.size} "
            "processes: raise training.batch_tokens, or start fewer processes"
        )


def _initial_ctc_head(job: TrainingJob, model: Seq2SeqModel) -> dict[str, Tensor]:
    if job.ctc_head is None:
        return initial_head(len(job.data.alphabet), model.dimensions.d_model // job.data.outputs_per_position)
    return job.ctc_head.for_alphabet(job.data.alphabet)


class Trainer:
    """The state of a training: model, optimizer, progress and metrics.

    Only rank 0 validates and has a directory. All ranks must call the methods that use the model.
    """

    def __init__(
        self,
        model: Seq2SeqModel,
        job: TrainingJob,
        ranks: Ranks,
        validate: Validate | None = None,
        directory: Path | None = None,
        on_log: OnLog | None = None,
    ) -> None:
        self.job, self.validate, self.directory, self.ranks = job, validate, directory or Path(), ranks
        # A second model has the averaged weights in float32: this model is validated and saved. Only rank 0 fills it.
        # It is copied before the stepper moves the weights to its device and precision.
        self.averaged = copy.deepcopy(model)
        self.on_log = on_log
        self.stepper = Stepper(
            model, job.config, job.objective, job.seed, job.teacher, job.bits, ranks, _initial_ctc_head(job, model)
        )
        self.optimizer = self.stepper.optimizer
        if job.keep_zeros:
            self.optimizer.keep_zeros()
        self.state, self.metrics = TrainState(threads=self.stepper.threads), MetricAccumulator()
        self.saved = time.monotonic()

    def batches(self) -> Iterator[tuple[Batch, TokenTargets, BatchShard]]:
        """This rank's shards of the batches, from the current state to the last update."""
        config = self.job.config
        # `self.state` and no local name: after a validation it is a new object on all ranks but rank 0.
        while self.state.position(config) < config.max_steps and not self.state.stopped:
            begin, epoch = time.monotonic(), self.state.epoch
            data = self.job.data_in_epoch(epoch)
            plan = epoch_batches(data, config.batch_tokens, self.job.seed, epoch)
            self.state.seconds += time.monotonic() - begin  # frames and disturbed sources are made now
            if not plan:
                raise UserError(
                    f"{self.job.name}: there is no sentence to train on (all are empty, longer than "
                    f"{data.max_length} tokens, or have no usable hypothesis): check the corpus and the labels"
                )
            for batch_rows, batch_references in plan[self.state.batch :]:
                rows, use_reference, shard = shard_batch(
                    data, batch_rows, batch_references, self.ranks.rank, self.ranks.size, epoch
                )
                batch, targets = collate(data, rows, use_reference, epoch)
                yield batch, targets, shard
                if self.state.position(config) >= config.max_steps or self.state.stopped:
                    return
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    def update(self, batch: Batch, targets: TokenTargets, shard: BatchShard) -> None:
        """One optimizer step, followed by validation and a checkpoint if they are due."""
        begin, state = time.monotonic(), self.state
        state.update, state.batch = state.update + 1, state.batch + 1
        position = state.position(self.job.config)
        self.metrics.add(self.stepper.update(state.update, batch, targets, position, shard), shard.tokens)
        state.seconds += time.monotonic() - begin
        self._after_update()

    def _after_update(self) -> None:
        config, state = self.job.config, self.state
        old = time.monotonic() - self.saved
        state.seconds, old = self.ranks.broadcast_numbers(state.seconds, old)  # clocks differ
        validates = state.position(config) >= config.max_steps or state.update % config.eval_steps == 0
        if validates or old > config.save_interval_seconds or state.update % _CHECK_EVERY == 0:
            # The sums are over all ranks, so that all ranks stop here.
            self._check_finite(self.metrics.nll, "loss")
        if validates:
            average = self.optimizer.whole_average()
            # Only rank 0 has the whole average. The other ranks need its sum to stop too, instead of waiting for the
            # validation.
            (total,) = self.ranks.broadcast_numbers(float(average.sum()) if self.ranks.is_main_process else 0.0)
            self._check_finite(total, "average of the weights")
            if self.ranks.is_main_process:
                self._validate(average)
            self.stepper.choose_threads()
            state.threads = self.stepper.threads
            self.state = self.ranks.broadcast_object(state)
            self.metrics = MetricAccumulator()
            self.save()
        elif old > config.save_interval_seconds:
            self.save()

    def _check_finite(self, total: Tensor | float, name: str) -> None:
        check_finite(float(total), name, self.job.name, self.state.update, self.job.config)

    def _validate(self, average: Tensor) -> None:
        """Validate the averaged weights [weights], and store them if they are the best so far."""
        state, config = self.state, self.job.config
        line = self.metrics.line(state, config)
        begin = time.monotonic()
        load_flat(self.averaged, average)
        assert self.validate is not None
        if trains_encoder_alone(self.job.objective):
            score = -line["train_loss"]  # without a decoder there are no translations to score
        else:
            line |= self.validate(self.averaged)
            score = line[config.metric]
        state.log.append(line)
        if self.on_log is not None:
            self.on_log(line)
        if score > state.best_score:
            state.best_score, state.best_update, state.stalls = score, state.update, 0
            write_tensors(self.directory / BEST, {"average": average}, {})
        else:
            state.stalls += 1
        state.stopped = bool(config.patience) and state.stalls >= config.patience
        duration = time.monotonic() - begin
        state.seconds, state.validation_seconds = state.seconds + duration, state.validation_seconds + duration
        scores = f"BLEU {line['bleu']:.2f}, chrF {line['chrf']:.2f}" if "bleu" in line else str(state.best_score)
        logger.info(f"{self.job.name}: update {state.update}, loss {line['train_loss']:.3f}, validation {scores}")

    def status(self) -> dict[str, object]:
        """Values for the progress bar."""
        if self.metrics.updates % 10 or not self.metrics.tokens:
            return {}
        line = self.metrics.line(self.state, self.job.config)
        return {"loss": round(line["train_loss"], 3), "tok/s": int(line["tokens_per_second"])}

    def save(self) -> None:
        """Write the checkpoint atomically."""
        tensors = self.stepper.state()
        if self.ranks.is_main_process:
            write_tensors(self.directory / CHECKPOINT, tensors, {"state": json.dumps(asdict(self.state))})
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Resume from the checkpoint if there is one."""
        path = self.directory / CHECKPOINT
        checkpoint = self.ranks.broadcast_object(
            read_checkpoint(path) if self.ranks.is_main_process and path.exists() else None
        )
        if checkpoint is None:
            return
        self.state = TrainState(**checkpoint[0])
        self.stepper.choose_threads(self.state.threads)
        self.stepper.load_state(
            {name: torch.from_numpy(value) for name, value in checkpoint[1].items()}, self.state.update
        )
        logger.info(f"{self.job.name}: resuming from update {self.state.update}")

    def finish(self) -> tuple[Seq2SeqModel, ModelResult, list[dict[str, Any]]]:
        """The best averaged model, what is known of it, and the log."""
        best, flat = self.directory / BEST, self.optimizer.whole_average()
        if self.ranks.is_main_process and best.exists():
            flat = safetensors.torch.load_file(best)["average"]
        load_flat(self.averaged, flat)
        if self.ranks.is_main_process and self.stepper.ctc_head is not None:
            write_ctc_head(CtcHead(self.job.data.alphabet, self.stepper.ctc_head.parameters), self.directory)
        state = self.state
        result = ModelResult(
            processes=self.ranks.size if self.ranks.size > 1 else None,
            updates=state.update,
            best_update=state.best_update,
            best_score=state.best_score,
            train_seconds=round(state.seconds, 1),
            validation_seconds=round(state.validation_seconds, 2),
        )
        return self.averaged, result, state.log
