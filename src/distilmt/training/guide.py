"""A teacher in memory while the student is trained, for what no label store can hold: its hidden states."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianMTModel

from distilmt.config import TrainingConfig
from distilmt.objectives.states import layer_map, state_distance
from distilmt.training.forward import Batch, States, decoder_rows
from distilmt.training.optimizer import learning_rate

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Guide:
    """The teacher, and the projections from the student's states to its own, which are learnt and thrown away."""

    def __init__(
        self,
        teacher: MarianMTModel,
        student: MarianMTModel,
        config: TrainingConfig,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """Take over a teacher with the student's pieces, and keep it in `dtype` on the device."""
        self.config = config
        self.teacher: Any = teacher.eval().requires_grad_(False).to(device, dtype)  # type: ignore[call-overload]
        sizes = [(m.config.encoder_layers, m.config.decoder_layers, m.config.d_model) for m in (student, teacher)]
        (encoders, decoders, width), (teachers_encoders, teachers_decoders, teachers_width) = sizes
        self.encoder_map = layer_map(encoders, teachers_encoders)
        self.decoder_map = layer_map(decoders, teachers_decoders)
        # Between states of one width the identity is where to begin.
        first = torch.eye(width) if width == teachers_width else _spread(teachers_width, width)
        self.projections = [nn.Parameter(first.to(device, copy=True)) for _ in range(encoders + decoders)]
        self.adam = torch.optim.Adam(self.projections, lr=0.0, betas=(0.9, 0.98), eps=1e-9)

    def distance(self, batch: Batch, states: States) -> Tensor:
        """Sum over words, mean over layers, of `state_distance`, for the student's states on a batch."""
        theirs = States()
        with torch.no_grad():
            decoder_rows(self.teacher, batch, states=theirs)
        wanted = [theirs.encoder[i] for i in self.encoder_map] + [theirs.decoder[i] for i in self.decoder_map]
        layers = zip([*states.encoder, *states.decoder], wanted, self.projections, strict=True)
        distances = [state_distance(student, teacher, projection) for student, teacher, projection in layers]
        return torch.stack(distances).mean()

    def step(self, update: int, tokens: int, position: float | None = None) -> None:
        """Update the projections, from gradients of a loss summed over so many tokens."""
        for projection in self.projections:
            if projection.grad is not None:
                projection.grad /= tokens
        self.adam.param_groups[0]["lr"] = learning_rate(self.config, update, position)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """What must be kept to go on, after one update at least."""
        found = {}
        for i, projection in enumerate(self.projections):
            found[f"projection.{i}"] = projection.detach()
            found |= {f"projection.{i}.{name}": self.adam.state[projection][name] for name in _MOMENTS}
        return found

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Go on from `state()` as it was after `update` updates."""
        for i, projection in enumerate(self.projections):
            projection.copy_(state[f"projection.{i}"])
            moments = {name: state[f"projection.{i}.{name}"].to(projection.device) for name in _MOMENTS}
            self.adam.state[projection] = {"step": torch.tensor(float(update)), **moments}


def _spread(rows: int, columns: int) -> Tensor:
    """A projection between widths to begin with, always the same."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) / columns**0.5
