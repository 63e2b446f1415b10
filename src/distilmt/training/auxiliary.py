"""Parameters that are trained with a student and discarded afterwards, such as projections and heads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from distilmt.config import TrainingConfig
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.optimizer import learning_rate

_MOMENTS = ("exp_avg", "exp_avg_sq")


class AuxiliaryParameters:
    """Float32 parameters by name, with an optimizer of their own (Adam)."""

    def __init__(
        self,
        values: Mapping[str, Tensor],
        config: TrainingConfig,
        device: torch.device,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        """Train copies of the initial values on the device, at the learning rate of the student."""
        self.config, self.ranks = config, ranks
        self.parameters = {name: nn.Parameter(value.to(device)) for name, value in values.items()}
        # PyTorch rejects an optimizer without parameters.
        self.adam = torch.optim.Adam(self.parameters.values(), 0.0, (0.9, 0.98), 1e-9) if self.parameters else None

    def step(self, update: int, tokens: int, position: float | None = None) -> None:
        """Update them; `tokens` is the number of target tokens of all ranks, which the loss sums over."""
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
    def load_state(self, state: Mapping[str, Tensor], update: int) -> None:
        """Resume from `state()` after `update` updates."""
        for name, parameter in self.parameters.items():
            assert self.adam is not None
            parameter.copy_(state[name])
            moments = {moment: state[f"{name}.{moment}"].to(parameter.device) for moment in _MOMENTS}
            self.adam.state[parameter] = {"step": torch.tensor(float(update)), **moments}
