"""Training speed of this machine, measured for a few seconds on the run's own text."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from distilmt.config import ModelConfig, ObjectiveConfig, TrainingConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.losses.ctc import initial_head
from distilmt.models.architectures import new_model
from distilmt.models.base import Seq2SeqModel
from distilmt.training.batching import TrainingSet, collate, epoch_batches
from distilmt.training.train_step import Stepper

MEASURING = 9.0
"""Seconds of a measurement."""
_WARM_UP = 4


def seconds_per_update(
    data: TrainingSet,
    model: ModelConfig,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    tokenizer: Tokenizer,
    teacher: Seq2SeqModel | None = None,
    seconds: float = MEASURING,
) -> float:
    """Mean seconds per update, over batches sampled as in training; measured for about `seconds`."""
    fresh = new_model(model, tokenizer, training.dropout, 1)
    config = replace(training, max_steps=10_000)
    head = initial_head(len(data.alphabet), fresh.dimensions.d_model // data.outputs_per_position)
    stepper = Stepper(fresh, config, objective, 1, teacher, ctc_head=head)
    plan = epoch_batches(data, training.batch_tokens, 1, 0)
    durations: list[float] = []
    end = time.monotonic() + seconds
    for number, (rows, use_reference) in enumerate(plan):
        begin = time.monotonic()
        stepper.update(number + 1, *collate(data, rows, use_reference))
        if number >= _WARM_UP:
            durations.append(time.monotonic() - begin)
        if time.monotonic() > end and len(durations) >= 5:
            break
    return statistics.fmean(durations or [time.monotonic() - begin])
