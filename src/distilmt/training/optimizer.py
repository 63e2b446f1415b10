"""Float32 master weights, Adam and a moving average behind a model that computes in any precision.

All weights lie in one flat vector, so that a step of clipping, Adam and averaging is a handful of vector operations
however many layers there are (mixed-precision training with master weights: Micikevicius et al. 2018).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from distilmt.config import TrainingConfig


class FlatOptimizer:
    """Owns a model's weights: `model` computes with copies in its own dtype, gradients land in one flat vector."""

    def __init__(self, model: nn.Module, config: TrainingConfig, dtype: torch.dtype) -> None:
        self.config = config
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.master = nn.Parameter(torch.cat([p.detach().float().flatten() for p in self.parameters]))
        self.average = self.master.detach().clone()
        self.weights = self.master.detach().to(dtype, copy=True)
        self.gradient = torch.zeros_like(self.weights)
        begin = 0
        for p in self.parameters:
            end = begin + p.numel()
            p.data = self.weights[begin:end].view_as(p)
            p.grad = self.gradient[begin:end].view_as(p)
            begin = end
        self.adam = torch.optim.AdamW(
            [self.master],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def step(self, update: int, tokens: int, position: float | None = None) -> Tensor:
        """One update from gradients of a summed loss.

        Args:
            update: number of this update, from 1.
            tokens: target tokens the loss was summed over.
            position: where the schedule stands, in updates; `update` itself unless time is short.

        Returns:
            The gradient's norm per token before clipping (a tensor: reading it costs a device synchronisation).
        """
        gradient = self.gradient.float().div_(tokens)
        norm = gradient.norm()
        if self.config.clip_norm > 0:
            gradient.mul_((self.config.clip_norm / (norm + 1e-6)).clamp(max=1))
        self.master.grad = gradient
        self.adam.param_groups[0]["lr"] = learning_rate(self.config, update, position)
        self.adam.step()
        self.gradient.zero_()
        self.weights.copy_(self.master.detach())
        if self.config.average_decay > 0:
            # The usual correction: early on the average must not remember the random start.
            self.average.lerp_(self.master.detach(), 1 - min(self.config.average_decay, update / (10 + update)))
        else:
            self.average.copy_(self.master.detach())
        return norm

    def state(self) -> dict[str, Tensor]:
        """Everything that must be kept to go on, as flat float32 vectors."""
        adam = self.adam.state.get(self.master, {})
        zeros = torch.zeros_like(self.average)
        return {
            "master": self.master.detach(),
            "average": self.average,
            "first_moment": adam.get("exp_avg", zeros),
            "second_moment": adam.get("exp_avg_sq", zeros.clone()),
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Go on from `state()` as it was after `update` updates."""
        device = self.master.device
        self.master.copy_(state["master"])
        self.average.copy_(state["average"])
        self.weights.copy_(self.master)
        self.adam.state[self.master] = {
            "step": torch.tensor(float(update), device=device),
            "exp_avg": state["first_moment"].to(device, copy=True),
            "exp_avg_sq": state["second_moment"].to(device, copy=True),
        }


@torch.no_grad()
def load_flat(model: nn.Module, flat: Tensor) -> None:
    """Write a flat vector of weights into a model's parameters, in the order `FlatOptimizer` lays them."""
    begin = 0
    for p in (p for p in model.parameters() if p.requires_grad):
        p.copy_(flat[begin : begin + p.numel()].view_as(p))
        begin += p.numel()


def learning_rate(config: TrainingConfig, update: int, position: float | None = None) -> float:
    """Learning rate of an update counted from 1: a linear climb, then the schedule's fall.

    `position` is where the schedule stands, in updates: beyond `update` when the seconds allowed run out first.
    """
    warmup = max(1, min(config.warmup, config.updates // 5))
    if update <= warmup:
        return config.learning_rate * update / warmup
    position = update if position is None else position
    if config.schedule == "inverse_sqrt":
        return config.learning_rate * math.sqrt(warmup / position)
    left = max(0.0, 1 - (position - warmup) / max(1, config.updates - warmup))
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1 - math.cos(math.pi * left))
    return config.learning_rate * max(left, 0.01)
