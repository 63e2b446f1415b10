"""Distillation of hidden states and attention, with the teacher in memory: these are too large for the label store."""

from __future__ import annotations

import torch
from torch import Tensor

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.hidden_states import layer_map
from distilmt.losses.records import FeatureRecords, ModelDimensions
from distilmt.losses.terms import Need, active_terms, needs
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch, States
from distilmt.training.auxiliary import AuxiliaryParameters
from distilmt.training.distributed import SINGLE_PROCESS, Ranks


class FeatureDistillation:
    """The teacher, and the projections that are trained with the student and discarded afterwards."""

    def __init__(
        self,
        teacher: Seq2SeqModel,
        student: Seq2SeqModel,
        objective: ObjectiveConfig,
        config: TrainingConfig,
        dtype: torch.dtype,
        device: torch.device,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        """Move the teacher, which must have the student's vocabulary, to the device in `dtype`.

        Raises:
            UserError: `head_mapping` is `same`, but student and teacher have different numbers of heads.
        """
        self.objective = objective
        self.teacher = teacher.eval().requires_grad_(False).to(device, dtype)
        student_dims, teacher_dims = _dimensions(student), _dimensions(teacher)
        self.encoder_map = layer_map(student_dims.encoder_layers, teacher_dims.encoder_layers)
        self.decoder_map = layer_map(student_dims.decoder_layers, teacher_dims.decoder_layers)
        first: dict[str, Tensor] = {}
        for term in active_terms(objective):
            if term.parameters is not None:
                first |= term.parameters(objective, student_dims, teacher_dims)
        self.auxiliary = AuxiliaryParameters(first, config, device, ranks)

    def empty_states(self) -> States:
        """The record that a forward pass fills."""
        return States(attention={} if Need.ATTENTION in needs(self.objective) else None)

    def records(self, batch: Batch, states: States) -> FeatureRecords:
        """The student's states on a batch, with the teacher's."""
        teacher_states = self.empty_states()
        with torch.no_grad():
            self.teacher.decoder_rows(batch, states=teacher_states)
        return FeatureRecords(
            student=states,
            teacher=teacher_states,
            encoder_map=self.encoder_map,
            decoder_map=self.decoder_map,
            parameters=self.auxiliary.parameters,
        )

    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Resume from the state of `auxiliary` after `update` updates; in older checkpoints `cross` is `across`."""
        self.auxiliary.load_state(
            {name.replace("mixture.across", "mixture.cross"): tensor for name, tensor in state.items()}, update
        )


def _dimensions(model: Seq2SeqModel) -> ModelDimensions:
    dimensions = model.dimensions
    return ModelDimensions(
        d_model=dimensions.d_model,
        encoder_layers=dimensions.encoder.layers,
        decoder_layers=dimensions.decoder.layers,
        encoder_heads=dimensions.encoder.heads,
        decoder_heads=dimensions.decoder.heads,
    )
