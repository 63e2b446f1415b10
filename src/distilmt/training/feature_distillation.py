"""Distillation of hidden states and attention, with the teacher in memory: these are too large for the label store."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianMTModel

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.attention import attention_distance
from distilmt.losses.hidden_states import layer_map, state_distance
from distilmt.models.marian_forward import Attention, Batch, States, decoder_rows
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.optimizer import learning_rate
from distilmt.utils.errors import UserError

_MOMENTS = ("exp_avg", "exp_avg_sq")
_KINDS = ("encoder", "decoder", "cross")


class FeatureDistillation:
    """The teacher, and the projections that are trained with the student and discarded afterwards."""

    def __init__(
        self,
        teacher: MarianMTModel,
        student: MarianMTModel,
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
        self.objective, self.config, self.ranks = objective, config, ranks
        self.teacher: Any = teacher.eval().requires_grad_(False).to(device, dtype)
        student_config, teacher_config = student.config, teacher.config
        self.encoder_map = layer_map(student_config.encoder_layers, teacher_config.encoder_layers)
        self.decoder_map = layer_map(student_config.decoder_layers, teacher_config.decoder_layers)
        first: dict[str, Tensor] = {}
        if objective.hidden_state_weight:
            layers = student_config.encoder_layers + student_config.decoder_layers
            first |= {
                f"projection.{i}": _projection(teacher_config.d_model, student_config.d_model) for i in range(layers)
            }
        if objective.attention_weight and objective.head_mapping == "learned":
            first |= _mixtures(_heads(student_config), _heads(teacher_config))
        elif objective.attention_weight:
            _check_same_heads(_heads(student_config), _heads(teacher_config))
        self.parameters = {name: nn.Parameter(value.to(device)) for name, value in first.items()}
        # PyTorch rejects an optimizer without parameters.
        self.adam = torch.optim.Adam(self.parameters.values(), 0.0, (0.9, 0.98), 1e-9) if self.parameters else None

    def empty_states(self) -> States:
        """The record that the student's forward pass fills."""
        return States(attention={} if self.objective.attention_weight else None)

    def loss(self, batch: Batch, states: States) -> Tensor:
        """Weighted distances from the teacher's states and attention, summed over tokens: a scalar."""
        teacher_states = self.empty_states()
        with torch.no_grad():
            decoder_rows(self.teacher, batch, states=teacher_states)
        loss = torch.zeros((), device=batch.decoder_input.device)
        if self.objective.hidden_state_weight:
            loss = loss + self.objective.hidden_state_weight * self._states(states, teacher_states)
        if states.attention is not None and teacher_states.attention is not None:
            kinds = [self._attention(kind, states.attention[kind], teacher_states.attention[kind]) for kind in _KINDS]
            loss = loss + self.objective.attention_weight * torch.stack(kinds).mean()
        return loss

    def _states(self, states: States, teacher_states: States) -> Tensor:
        """Distance of hidden states, the mean over layers: a scalar."""
        layer_targets = [teacher_states.encoder[i] for i in self.encoder_map] + [
            teacher_states.decoder[i] for i in self.decoder_map
        ]
        layers = enumerate(zip([*states.encoder, *states.decoder], layer_targets, strict=True))
        return torch.stack([state_distance(s, t, self.parameters[f"projection.{i}"]) for i, (s, t) in layers]).mean()

    def _attention(self, kind: str, student_attention: Attention, teacher_attention: Attention) -> Tensor:
        """Distance of attention of one kind, summed over blocks: a scalar."""
        teacher_scores = teacher_attention.scores
        if self.objective.head_mapping == "same":
            teacher_scores = [teacher_scores[i] for i in (self.encoder_map if kind == "encoder" else self.decoder_map)]
        distances = []
        for number, bias in enumerate(student_attention.biases):
            # Heads of all layers: [rows, layers · heads, width, width].
            student, teacher = (
                torch.cat([layer[number] for layer in scores], 1)
                for scores in (student_attention.scores, teacher_scores)
            )
            heads = torch.eye(student.shape[1], device=student.device)
            distances.append(attention_distance(student, teacher, bias, self.parameters.get(f"mixture.{kind}", heads)))
        return torch.stack(distances).sum()

    def step(self, update: int, tokens: int, position: float | None = None) -> None:
        """Update the projections; `tokens` is the number of target tokens of all ranks, which the loss sums over."""
        if self.adam is None:
            return
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                self.ranks.all_reduce(parameter.grad).div_(tokens)
        self.adam.param_groups[0]["lr"] = learning_rate(self.config, update, position)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint, after at least one update."""
        tensors = {name: parameter.detach() for name, parameter in self.parameters.items()}
        for name, parameter in self.parameters.items():
            assert self.adam is not None
            tensors |= {f"{name}.{moment}": self.adam.state[parameter][moment] for moment in _MOMENTS}
        return tensors

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Resume from `state()` after `update` updates; in older checkpoints `cross` is `across`."""
        state = {name.replace("mixture.across", "mixture.cross"): tensor for name, tensor in state.items()}
        for name, parameter in self.parameters.items():
            assert self.adam is not None
            parameter.copy_(state[name])
            moments = {moment: state[f"{name}.{moment}"].to(parameter.device) for moment in _MOMENTS}
            self.adam.state[parameter] = {"step": torch.tensor(float(update)), **moments}


def _projection(rows: int, columns: int) -> Tensor:
    """Initial projection [rows, columns] from the student's width to the teacher's: fixed; the identity if equal."""
    if rows == columns:
        return torch.eye(rows)
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) / columns**0.5


def _heads(config: Any) -> dict[str, tuple[int, int]]:
    """Number of layers and of heads per layer, for every kind of attention."""
    encoder = config.encoder_layers, config.encoder_attention_heads
    decoder = config.decoder_layers, config.decoder_attention_heads
    return {"encoder": encoder, "decoder": decoder, "cross": decoder}


def _mixtures(
    student_heads: dict[str, tuple[int, int]], teacher_heads: dict[str, tuple[int, int]]
) -> dict[str, Tensor]:
    """Initial mixtures [t, s]: each of the teacher's t heads is compared with the mean of the student's s heads."""
    sizes = {
        kind: (teacher_heads[kind][0] * teacher_heads[kind][1], student_heads[kind][0] * student_heads[kind][1])
        for kind in _KINDS
    }
    return {f"mixture.{kind}": torch.full((t, s), 1 / s) for kind, (t, s) in sizes.items()}


def _check_same_heads(student_heads: dict[str, tuple[int, int]], teacher_heads: dict[str, tuple[int, int]]) -> None:
    for (_, student), (_, teacher) in zip(student_heads.values(), teacher_heads.values(), strict=True):
        if student != teacher:
            raise UserError(
                f"student.objective.head_mapping is same, but the teacher has {teacher} heads and the student "
                f"{student}: set it to learned"
            )
