"""One optimizer step: forward, loss, backward, update. Independent of epochs, checkpoints and validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.ctc import ctc_loss
from distilmt.losses.distillation import (
    LossSettings,
    Statistics,
    TokenTargets,
    anneal_teacher,
    chunked_loss,
    weights_by_entropy,
)
from distilmt.losses.records import BatchStates, Reading
from distilmt.losses.terms import (
    TEACHER_IN_MEMORY,
    Need,
    active_terms,
    batch_losses,
    keys_that_need,
    needs,
    trains_encoder_alone,
)
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch
from distilmt.models.device import (
    configured_threads,
    keep_memory,
    pick_device,
    pick_dtype,
    training_threads,
    use_threads,
)
from distilmt.models.dropout import DropoutPool
from distilmt.training.auxiliary import AuxiliaryParameters
from distilmt.training.batching import BatchShard
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.feature_distillation import FeatureDistillation
from distilmt.training.hard_tokens import HardTokenQueue
from distilmt.training.optimizer import FlatOptimizer


class Stepper:
    """A model with its optimizer, on the training device."""

    def __init__(
        self,
        model: Seq2SeqModel,
        config: TrainingConfig,
        objective: ObjectiveConfig,
        seed: int,
        teacher: Seq2SeqModel | None = None,
        bits: int = 0,
        ranks: Ranks = SINGLE_PROCESS,
        ctc_head: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Move a float32 model to the device, and the teacher if the objective uses its states or attention.

        With `bits` above 0 the model computes with weights rounded to this many bits (quantization-aware training).
        All `ranks` must do the same updates, each on its shard of the batch. An objective with CTC needs the initial
        parameters of its projection, `ctc_head`.
        """
        keep_memory()
        self.config, self.objective, self.ranks = config, objective, ranks
        self.threads = 0
        # Dropout masks differ between ranks.
        self.seed = hash((seed, ranks.rank)) if ranks.rank else seed
        self.device = pick_device()
        dtype = pick_dtype(config.precision, self.device)
        self.model = model.to(self.device)
        self.optimizer = FlatOptimizer(self.model, config, dtype, bits, ranks)
        bias = self.model.output_layer().bias  # [V + 1]
        # OPUS-MT models have a bias on their logits; it is not trained.
        self.bias = None if bias is None or not bias.any() else bias.to(dtype)
        self.loss_queue = HardTokenQueue() if objective.token_selection == "queue" else None
        self.feature_distillation: FeatureDistillation | None = None
        self.needs = needs(objective)
        if self.needs & TEACHER_IN_MEMORY:
            if teacher is None:
                keys = " and ".join(f"objective.{key}" for key in keys_that_need(objective, TEACHER_IN_MEMORY))
                raise ValueError(f"{keys} need a teacher in memory")
            self.feature_distillation = FeatureDistillation(
                teacher, self.model, objective, config, dtype, self.device, ranks
            )
        self.ctc_head: AuxiliaryParameters | None = None
        if Need.CHARACTERS in self.needs:
            if ctc_head is None:
                raise ValueError("objective.ctc_weight needs the initial parameters of the projection")
            self.ctc_head = AuxiliaryParameters(ctc_head, config, self.device, ranks)
        self.values = config.batch_tokens * model.dimensions.d_model
        self.dropout = DropoutPool(config.dropout, self.values, dtype, self.device)
        self.choose_threads()

    def choose_threads(self, before: int = 0) -> None:
        """Set the number of CPU threads: the configured one, else `before`, else by the number of free cores."""
        chosen = configured_threads(self.config.threads or self.ranks.threads) or before
        self.threads = chosen or (training_threads(self.values) if self.device.type == "cpu" else 0)

    def update(
        self,
        number: int,
        batch: Batch,
        targets: TokenTargets,
        position: float | None = None,
        shard: BatchShard | None = None,
    ) -> Statistics:
        """One optimizer step.

        Args:
            number: number of the update, from 1.
            batch: the sentences of this rank's shard, with N target tokens.
            targets: labels [N] and teacher targets [N, k].
            position: position in the schedule, in updates; by default `number`.
            shard: position of the shard in the whole batch; by default the shard is the batch.

        Returns:
            Sums over the whole batch; `rows` may be those of the shard only.
        """
        use_threads(self.threads)
        shard = shard or BatchShard(len(targets.ids))
        self.dropout.begin(self.seed, number)
        batch, targets = batch.to(self.device), targets_to(targets, self.device)
        settings = self._loss_settings(number if position is None else position, targets, shard)
        loss, statistics = self._loss(batch, targets, settings)
        (loss if shard.is_valid else loss * 0).backward()
        self.optimizer.step(number, shard.tokens, position)
        if self.feature_distillation is not None:
            self.feature_distillation.auxiliary.step(number, shard.tokens, position)
        if self.ctc_head is not None:
            self.ctc_head.step(number, shard.tokens, position)
        if self.ranks.size > 1:
            statistics = self.reduce_statistics(statistics, shard)
        if self.loss_queue is not None:
            self.loss_queue.add(statistics.rows)
        return statistics

    def _loss_settings(self, position: float, targets: TokenTargets, shard: BatchShard) -> LossSettings:
        settings = LossSettings(
            objective=anneal_teacher(self.objective, position / self.config.max_steps),
            smoothing=self.config.label_smoothing,
            threshold=self._threshold(),
        )
        if self.ranks.size > 1 and self.objective.entropy_mode in ("weight_high", "weight_low"):
            settings = replace(settings, mean_weight=self._mean_weight(targets, settings, shard))
        return settings

    def reduce_statistics(self, statistics: Statistics, shard: BatchShard) -> Statistics:
        """Statistics of the whole batch, from those of its shards."""
        sums = torch.stack([statistics.nll, statistics.distillation, statistics.entropy]) * shard.is_valid
        rows = statistics.rows
        if self.loss_queue is not None:
            rows = torch.zeros(shard.tokens, dtype=rows.dtype, device=rows.device)  # [tokens of the whole batch]
            if shard.is_valid:
                rows[shard.token_offset : shard.token_offset + len(statistics.rows)] = statistics.rows
            self.ranks.all_reduce(rows)
        nll, distillation, entropy = self.ranks.all_reduce(sums)
        return Statistics(nll=nll, distillation=distillation, entropy=entropy, rows=rows)

    def _mean_weight(self, targets: TokenTargets, settings: LossSettings, shard: BatchShard) -> Tensor:
        """Mean entropy weight of the whole batch: a scalar."""
        sums = weights_by_entropy(targets, settings, self.model.vocabulary_size) * shard.is_valid
        total, count = self.ranks.all_reduce(sums)
        return total / count.clamp_min(1)

    def _loss(self, batch: Batch, targets: TokenTargets, settings: LossSettings) -> tuple[Tensor, Statistics]:
        """The objective summed over target tokens, a scalar, and its statistics."""
        weight = self.model.output_layer().weight  # [V + 1, d]
        vocabulary, tokens = self.model.vocabulary_size, len(targets.ids)
        states = self.feature_distillation.empty_states() if self.feature_distillation else None
        memory = self.model.encode(batch, self.dropout, states)
        if trains_encoder_alone(self.objective):
            return self._ctc_alone(memory, batch, tokens)
        hidden = self.model.decode(memory, batch, self.dropout, states)  # [rows, d]; the first N are target tokens
        loss, statistics = chunked_loss(hidden, weight, self.bias, targets, settings, vocabulary=vocabulary)
        second_hidden = None
        if Need.SECOND_PASS in self.needs:
            second_hidden = self.model.decoder_rows(batch, self.dropout)  # [rows, d]
            second, _ = chunked_loss(second_hidden, weight, self.bias, targets, settings, vocabulary=vocabulary)
            loss, second_hidden = (loss + second) / 2, second_hidden[:tokens]
        if any(term.batch_loss is not None for term in active_terms(self.objective)):
            batch_states = BatchStates(
                hidden=hidden[:tokens],
                output_weight=weight,
                vocabulary=vocabulary,
                second_hidden=second_hidden,
                features=self.feature_distillation.records(batch, states)
                if self.feature_distillation and states
                else None,
                reading=None if self.ctc_head is None else _reading(memory, batch, self.ctc_head),
            )
            loss = loss + batch_losses(batch_states, self.objective)
        return loss, statistics

    def _ctc_alone(self, memory: Tensor, batch: Batch, tokens: int) -> tuple[Tensor, Statistics]:
        """CTC from the encoder's states [rows, d]: its sum takes the place of the cross-entropy in the statistics."""
        assert self.ctc_head is not None
        loss = self.objective.ctc_weight * ctc_loss(_reading(memory, batch, self.ctc_head))
        none = loss.new_zeros(())
        return loss, Statistics(nll=loss.detach(), distillation=none, entropy=none, rows=loss.new_zeros(tokens))

    def state(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint."""
        auxiliary = self.feature_distillation.auxiliary.state() if self.feature_distillation else {}
        return self.optimizer.state() | auxiliary | (self.ctc_head.state() if self.ctc_head else {})

    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Resume from `state()` after `update` updates."""
        self.optimizer.load_state(state, update)
        if self.feature_distillation:
            self.feature_distillation.load_state(state, update)
        if self.ctc_head:
            self.ctc_head.load_state(state, update)

    def _threshold(self) -> Tensor | None:
        """Minimum cross-entropy of hard tokens, a scalar; None without a queue or until it is full."""
        return None if self.loss_queue is None else self.loss_queue.threshold(self.objective.selection_fraction)


def _reading(memory: Tensor, batch: Batch, head: AuxiliaryParameters) -> Reading:
    """The encoder's last states [rows, d] beside the characters that are drawn or spoken.

    A state is cut into as many parts as the projection is narrower, so that each names a character of its own.
    """
    assert batch.transcript is not None
    source = batch.source
    states = source.padded(memory[: len(source.ids)])  # [B, S, d]
    width = head.parameters["ctc.weight"].shape[1]
    parts = states.shape[2] // width
    return Reading(
        states=states.reshape(len(states), -1, width),
        state_lengths=source.sentences.bincount() * parts,
        characters=batch.transcript.characters,
        character_lengths=batch.transcript.lengths,
        weight=head.parameters["ctc.weight"],
        bias=head.parameters["ctc.bias"],
    )


def targets_to(targets: TokenTargets, device: torch.device) -> TokenTargets:
    """The targets on `device`; shapes do not change."""
    if device.type == "cpu":
        return targets
    top_ids, top_logprobs = targets.top_ids, targets.top_logprobs
    return TokenTargets(
        ids=targets.ids.to(device, non_blocking=True),
        top_ids=None if top_ids is None else top_ids.to(device, non_blocking=True),
        top_logprobs=None if top_logprobs is None else top_logprobs.to(device, non_blocking=True),
    )
