"""One optimizer step: forward, loss, backward, update. Knows nothing of epochs, checkpoints or validation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import MarianMTModel

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.objectives.consistency import consistency
from distilmt.objectives.loss import LossSettings, Statistics, Targets, annealed, chunked_loss
from distilmt.training.device import keep_memory, pick_device, pick_dtype, use_threads
from distilmt.training.forward import Batch, DropoutPool, decoder_rows, words
from distilmt.training.guide import Guide
from distilmt.training.hardest import LossQueue
from distilmt.training.optimizer import FlatOptimizer


class Stepper:
    """A model with its optimizer, on the device it is trained on."""

    def __init__(
        self,
        model: MarianMTModel,
        config: TrainingConfig,
        objective: ObjectiveConfig,
        seed: int,
        teacher: MarianMTModel | None = None,
    ) -> None:
        """Take over a float32 model, and a teacher where the objective asks for its states or attention."""
        keep_memory()
        self.config, self.objective, self.seed = config, objective, seed
        self.device = pick_device()
        dtype = pick_dtype(config.precision, self.device)
        self.model: Any = model.to(self.device)  # type: ignore[arg-type]
        self.optimizer = FlatOptimizer(self.model, config, dtype)
        bias = self.model.final_logits_bias[0]
        # OPUS-MT models have one on their logits; it is not learnt.
        self.bias = bias.to(dtype) if bias.any() else None
        self.seen = LossQueue() if objective.selection == "queue" else None
        self.guide: Guide | None = None
        if objective.online:
            if teacher is None:
                raise ValueError("objective.states and objective.attention need a teacher")
            self.guide = Guide(teacher, self.model, objective, config, dtype, self.device)
        self.dropout = DropoutPool(config.dropout, config.batch_tokens * model.config.d_model, dtype, self.device)

    def update(self, number: int, batch: Batch, targets: Targets, position: float | None = None) -> Statistics:
        """Do update `number` (from 1) on a batch; `position` is where the schedule stands, in updates."""
        use_threads(self.config.threads)
        self.dropout.begin(self.seed, number)
        batch, targets = batch.to(self.device), targets_to(targets, self.device)
        progress = (number if position is None else position) / self.config.updates
        settings = LossSettings(annealed(self.objective, progress), self.config.label_smoothing, self._threshold())
        loss, statistics = self._loss(batch, targets, settings)
        loss.backward()
        self.optimizer.step(number, len(targets.ids), position)
        if self.guide is not None:
            self.guide.step(number, len(targets.ids), position)
        if self.seen is not None:
            self.seen.add(statistics.rows)
        return statistics

    def _loss(self, batch: Batch, targets: Targets, settings: LossSettings) -> tuple[Tensor, Statistics]:
        weight, vocabulary, share = self.model.lm_head.weight, words(self.model), self.objective.consistency
        states = self.guide.watched() if self.guide else None
        hidden = decoder_rows(self.model, batch, self.dropout, states)
        loss, statistics = chunked_loss(hidden, weight, self.bias, targets, settings, vocabulary=vocabulary)
        if share:
            again = decoder_rows(self.model, batch, self.dropout)
            second, _ = chunked_loss(again, weight, self.bias, targets, settings, vocabulary=vocabulary)
            rows = len(targets.ids)
            loss = (loss + second) / 2 + share * consistency(hidden[:rows], again[:rows], weight, vocabulary)
        if self.guide and states:
            loss = loss + self.guide.loss(batch, states)
        return loss, statistics

    def state(self) -> dict[str, Tensor]:
        """Everything that must be kept to go on."""
        return self.optimizer.state() | (self.guide.state() if self.guide else {})

    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Go on from `state()` as it was after `update` updates."""
        self.optimizer.load_state(state, update)
        if self.guide:
            self.guide.load_state(state, update)

    def _threshold(self) -> Tensor | None:
        """From which cross-entropy on the teacher's words are learnt, where the last positions tell."""
        return None if self.seen is None else self.seen.threshold(self.objective.selection_share)


def targets_to(targets: Targets, device: torch.device) -> Targets:
    """The same on a device."""
    if device.type == "cpu":
        return targets
    moved = [None if t is None else t.to(device, non_blocking=True) for t in (targets.top_ids, targets.top_logprobs)]
    return Targets(targets.ids.to(device, non_blocking=True), *moved)
