"""Float32 master weights, Adam or Muon, and a moving average, for a model that computes in any precision.

All weights are in one flat vector, so that clipping, Adam and averaging are a few vector operations for any number of
layers (mixed-precision training with master weights: Micikevicius et al. 2018). The matrices of the layers are at its
end, grouped by shape: Muon updates one stack at a time. In distributed training, each rank does this only for its own
part of the vector (see `zero`).
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from distilmt.config import TrainingConfig
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.fake_quantize import fake_quantize
from distilmt.training.muon import Stack, muon_step
from distilmt.training.zero import Shards

_AVERAGE_WARMUP, _AVERAGE_EVERY = 96, 8
"""The average reads and writes all weights: after the first updates, when it changes fast, every 8th update will do."""


@runtime_checkable
class LayeredModel(Protocol):
    """A model with layers, such as a `Seq2SeqModel`; Adam updates all weights of any other."""

    def layer_matrices(self) -> list[nn.Parameter]:
        """The trained matrices of the layers."""


class FlatOptimizer:
    """Owns a model's weights: `model` computes with copies in its own dtype."""

    def __init__(
        self, model: nn.Module, config: TrainingConfig, dtype: torch.dtype, bits: int = 0, ranks: Ranks = SINGLE_PROCESS
    ) -> None:
        """Use the parameters of a float32 model; `bits` above 0: it computes with weights rounded to this many bits."""
        self.config, self.bits, self.ranks = config, bits, ranks
        self.parameters, stacks = _layout(model)
        self._matrices = _matrices(self.parameters) if bits else []
        if config.optimizer == "adam":
            stacks = []
        whole = torch.cat([p.detach().float().flatten() for p in self.parameters])  # [weights]
        self.shards = Shards(ranks, stacks[0].begin if stacks else len(whole), stacks)
        self.stacks = self.shards.own_stacks()
        self.master = self.shards.own(whole)  # [own], as `average`, `momentum` and a rank's part of the gradient
        self.average = self.master.clone()
        self.weights = whole.to(dtype, copy=True)  # [weights]
        self.gradient = torch.empty_like(whole)  # [weights]
        self._gradients = self._view_parameters()
        self._cast_weights()
        self.momentum = torch.zeros_like(self.master)  # Adam's first moment, and Muon's momentum
        # Adam updates everything before the first stack of matrices.
        self.head = nn.Parameter(self.master[: self.shards.heads()[ranks.rank]])
        self.adam = torch.optim.AdamW(
            [self.head],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._set_moments(0, torch.zeros_like(self.head.detach()))
        self._sparsity_mask: Tensor | None = None

    def keep_zeros(self) -> None:
        """From now on, keep weights of matrices at zero that are zero now: pruned weights stay pruned."""
        parts = self.shards.whole(self.master).split([p.numel() for p in self.parameters])
        masks = [(m != 0) | (p.dim() != 2) for m, p in zip(parts, self.parameters, strict=True)]
        self._sparsity_mask = self.shards.own(torch.cat(masks).float())

    def _view_parameters(self) -> list[Tensor]:
        """Make the model's parameters views of the flat weights; returns views of the flat gradient in their order."""
        begin, gradients = 0, []
        for p in self.parameters:
            end = begin + p.numel()
            p.data = self.weights[begin:end].view_as(p)
            gradients.append(self.gradient[begin:end].view_as(p))
            begin = end
        return gradients

    def _gather(self) -> Tensor:
        """The gradients as one float32 vector [weights]. Clears them, so that autograd need not add to old ones."""
        for p, gradient in zip(self.parameters, self._gradients, strict=True):
            gradient.zero_() if p.grad is None else gradient.copy_(p.grad)
            p.grad = None
        return self.gradient

    def _set_moments(self, update: int, second: Tensor) -> None:
        """Set Adam's number of updates and second moment [own head]; its first moment is a part of `momentum`."""
        self.adam.state[self.head] = {
            "step": torch.tensor(float(update), device=self.master.device),
            "exp_avg": self.momentum[: len(self.head)],
            "exp_avg_sq": second,
        }

    def step(self, update: int, tokens: int, position: float | None = None) -> Tensor:
        """One update from the gradients of a summed loss; every rank has the gradients of its own shard.

        Args:
            update: number of this update, from 1.
            tokens: target tokens of all ranks, over which the loss is summed.
            position: position in the schedule, in updates; by default `update`.

        Returns:
            The gradient's norm per token before clipping (a scalar tensor: reading it synchronizes with the device).
        """
        gradient = self.ranks.all_reduce(self._gather())  # [weights]
        norm = gradient.norm() / tokens
        factor = (self.config.max_grad_norm / (norm + 1e-6)).clamp(max=1) if self.config.max_grad_norm > 0 else 1.0
        gradient = self.shards.own(gradient).mul_(factor / tokens)  # [own]
        rate = learning_rate(self.config, update, position)
        self.head.grad = gradient[: len(self.head)]
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()
        for stack in self.stacks:
            if self.config.weight_decay:
                stack.of(self.master).mul_(1 - rate * self.config.weight_decay)
            muon_step(stack, self.master, gradient, self.momentum, rate, update, self.weights.dtype)
        if self._sparsity_mask is not None:
            self.master.mul_(self._sparsity_mask)
        self._cast_weights()
        self._average(update)
        return norm

    @torch.no_grad()
    def _cast_weights(self) -> None:
        """Copy the master weights to the model in its precision."""
        # Rounding needs whole rows in float32; otherwise ranks only exchange weights in the model's precision.
        wide = self.bits or self.ranks.size == 1
        whole = self.shards.whole(self.master if wide else self.master.to(self.weights.dtype))
        self.weights.copy_(whole)
        for begin, end, columns in self._matrices:
            rows = fake_quantize(whole[begin:end].view(-1, columns), self.bits)  # [rows, columns]
            self.weights[begin:end].view(-1, columns).copy_(rows)

    def _average(self, update: int) -> None:
        """Add the weights to their moving average; after the warm-up only every 8th update, with the same decay."""
        decay = self.config.ema_decay
        if decay == 0:
            self.average.copy_(self.master)
        elif update <= _AVERAGE_WARMUP or update % _AVERAGE_EVERY == 0:
            # The usual correction: at the start, the average must not retain the random initialization.
            decay_factor = min(decay, update / (10 + update)) ** (1 if update <= _AVERAGE_WARMUP else _AVERAGE_EVERY)
            self.average.lerp_(self.master, 1 - decay_factor)

    def whole_average(self) -> Tensor:
        """The averaged weights of all ranks [weights], on the CPU."""
        return self.shards.whole(self.average).cpu()

    def state(self) -> dict[str, Tensor]:
        """Flat float32 vectors [weights] for a checkpoint, of all ranks; they do not depend on the number of ranks."""
        vectors = {"master": self.master, "average": self.average, "first_moment": self.momentum}
        whole = {name: self.shards.whole(vector) for name, vector in vectors.items()}
        return whole | {"second_moment": self.shards.whole_head(self.adam.state[self.head]["exp_avg_sq"])}

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Resume from `state()` after `update` updates."""
        self.master.copy_(self.shards.own(state["master"]))
        self.average.copy_(self.shards.own(state["average"]))
        self.momentum.copy_(self.shards.own(state["first_moment"]))
        self._cast_weights()
        second = self.shards.own_head(state["second_moment"])
        self._set_moments(update, second.to(self.master.device, copy=True))


def _layout(model: nn.Module) -> tuple[list[nn.Parameter], list[Stack]]:
    """The trainable parameters in the order of the flat vector, and the stacks of the layers' matrices.

    Embeddings, biases and norms come first; then the matrices of the layers, those of one shape together.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    matrix_ids = {id(p) for p in (model.layer_matrices() if isinstance(model, LayeredModel) else [])}
    matrices = [p for p in trainable if id(p) in matrix_ids]
    matrices.sort(key=lambda p: tuple(p.shape))
    others = [p for p in trainable if id(p) not in matrix_ids]
    stacks, begin = [], sum(p.numel() for p in others)
    for shape, group in groupby(matrices, key=lambda p: tuple(p.shape)):
        stacks.append(Stack(begin, len(list(group)), *shape))
        begin = stacks[-1].end
    return others + matrices, stacks


def _matrices(parameters: list[nn.Parameter]) -> list[tuple[int, int, int]]:
    """Begin, end and columns of the matrices in the flat vector; adjacent ones of equal width are merged."""
    spans: list[tuple[int, int, int]] = []
    begin = 0
    for p in parameters:
        end = begin + p.numel()
        if p.dim() == 2:
            if spans and spans[-1][1:] == (begin, p.shape[1]):
                begin = spans.pop()[0]
            spans.append((begin, end, p.shape[1]))
        begin = end
    return spans


@torch.no_grad()
def load_flat(model: nn.Module, flat: Tensor) -> None:
    """Write a flat vector [weights] into a model's parameters, in the order of `FlatOptimizer`.

    Raises:
        ValueError: the vector has another length than the model's trainable parameters.
    """
    parameters, begin = _layout(model)[0], 0
    size = sum(p.numel() for p in parameters)
    if size != len(flat):
        raise ValueError(f"{len(flat)} weights do not fit a model with {size} trainable weights")
    for p in parameters:
        p.copy_(flat[begin : begin + p.numel()].view_as(p))
        begin += p.numel()


def learning_rate(config: TrainingConfig, update: int, position: float | None = None) -> float:
    """Learning rate of an update, counted from 1: linear warm-up, then the schedule's decay.

    `position` is the position in the schedule, in updates: above `update` if the time limit is reached before the last
    update.
    """
    warmup = max(1, min(config.warmup_steps, config.max_steps // 5))
    if update <= warmup:
        return config.learning_rate * update / warmup
    position = update if position is None else position
    if config.lr_scheduler == "inverse_sqrt":
        return config.learning_rate * math.sqrt(warmup / position)
    left = max(0.0, 1 - (position - warmup) / max(1, config.max_steps - warmup))
    if config.lr_scheduler == "cosine":
        return config.learning_rate * 0.5 * (1 - math.cos(math.pi * left))
    return config.learning_rate * max(left, 0.01)
