"""Training with distilmt's own train step, on references or on stored labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
from common import Clock, Spec, begun, given, sequences
from transformers import MarianMTModel

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.distillation import TokenTargets
from distilmt.models.batch import Batch
from distilmt.models.marian import MarianModel
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, epoch_batches
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.optimizer import load_flat
from distilmt.training.train_step import Stepper


def training_set(spec: Spec, model: MarianMTModel) -> TrainingSet:
    source, target = (Ragged.of(sequences(spec.work, "train", side)) for side in ("source", "target"))
    side = TargetSide(target, target.lengths > 1)
    if spec.top_k:
        side.top_ids, side.top_logprobs = labels(target, spec.top_k, model.config.vocab_size - 1)
    pad = model.config.pad_token_id
    return TrainingSet(source, side, None, pad, 1.0, model.config.max_position_embeddings)


def labels(target: Ragged, k: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic teacher targets in the store's format: the target token first, then distinct other tokens."""
    ids = (target.flat[:, None] + np.arange(k) * 37) % vocabulary
    values = np.log(0.9 * 0.5 ** np.arange(1, k + 1)).astype(np.float16)
    return ids.astype(np.int32), np.broadcast_to(values, ids.shape).copy()


def batches(data: TrainingSet, spec: Spec) -> Iterator[tuple[Batch, TokenTargets]]:
    """An endless sequence of batches in the order of the training loop."""
    for epoch in count():
        for rows, use_reference in epoch_batches(data, spec.batch_tokens, spec.seed, epoch):
            yield collate(data, rows, use_reference)


def begin(spec: Spec, model: MarianMTModel, ranks: Ranks = SINGLE_PROCESS) -> Stepper:
    config = TrainingConfig(
        max_steps=spec.updates or 10_000,
        batch_tokens=spec.batch_tokens,
        optimizer=spec.optimizer,
        learning_rate=spec.learning_rate,
        warmup_steps=spec.warmup,
        dropout=spec.dropout,
        label_smoothing=spec.label_smoothing,
        ema_decay=0.0 if spec.save else 0.998,
        precision="bf16" if spec.bf16 else "fp32",
        threads=spec.options.get("threads", 0),
    )
    word = 0.5 if spec.top_k else 0.0
    objective = ObjectiveConfig(
        kd_weight=word, ce_weight=1 - word, top_k=spec.top_k or 8, tail="uniform", reference_fraction=1.0
    )
    return Stepper(MarianModel(model), config, objective, spec.seed, ranks=ranks)


def main(spec: Spec) -> None:
    model = begun(spec)
    data = training_set(spec, model)
    stepper, clock = begin(spec, model), Clock(spec)
    for number, (batch, targets) in enumerate(batches(data, spec), 1):
        stepper.update(number, batch, targets)
        if clock.over(len(targets.ids)):
            break
    if spec.save:
        trained = MarianModel(MarianMTModel(model.config))
        load_flat(trained, stepper.optimizer.master)
        trained.network.save_pretrained(spec.save)
    clock.report()


if __name__ == "__main__":
    main(given())
