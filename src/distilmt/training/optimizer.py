"""Float32 master weights, Adam or Muon, and a moving average behind a model that computes in any precision.

All weights lie in one flat vector, so that a step of clipping, Adam and averaging is a handful of vector operations
however many layers there are (mixed-precision training with master weights: Micikevicius et al. 2018). The matrices of
the layers lie at its end, those of one shape together: Muon takes them a stack at a time. Where several ranks train
together, each does all of that for its own part of the vector only (see `shards`).
"""

from __future__ import annotations

import math
from itertools import groupby

import torch
from torch import Tensor, nn

from distilmt.config import TrainingConfig
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.fake_quantize import fake_quantize
from distilmt.training.muon import Stack, muon_step
from distilmt.training.zero import Shards

_AVERAGE_WARMUP, _AVERAGE_EVERY = 96, 8


class FlatOptimizer:
    """Owns a model's weights: `model` computes with copies in its own dtype."""

    def __init__(
        self, model: nn.Module, config: TrainingConfig, dtype: torch.dtype, bits: int = 0, ranks: Ranks = SINGLE_PROCESS
    ) -> None:
        """Take over a float32 model; with `bits` it computes with weights rounded to so many."""
        self.config, self.bits, self.ranks = config, bits, ranks
        self.parameters, stacks = _layout(model)
        self._matrices = _matrices(self.parameters) if bits else []
        if config.optimizer == "adam":
            stacks = []
        whole = torch.cat([p.detach().float().flatten() for p in self.parameters])
        self.shards = Shards(ranks, stacks[0].begin if stacks else len(whole), stacks)
        self.stacks = self.shards.own_stacks()
        self.master = self.shards.own(whole)
        self.average = self.master.clone()
        self.weights = whole.to(dtype, copy=True)
        self.gradient = torch.empty_like(whole)
        self._gradients = self._view_parameters()
        self._cast_weights()
        self.momentum = torch.zeros_like(self.master)  # Adam's first moment, and Muon's momentum
        # Adam has what lies before the first stack of matrices.
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
        """From now on hold every matrix's weights at zero that are zero now: what was pruned stays pruned."""
        parts = self.shards.whole(self.master).split([p.numel() for p in self.parameters])
        masks = [(m != 0) | (p.dim() != 2) for m, p in zip(parts, self.parameters, strict=True)]
        self._sparsity_mask = self.shards.own(torch.cat(masks).float())

    def _view_parameters(self) -> list[Tensor]:
        """Make the model's parameters views of the flat vector; the flat gradient's views in their order."""
        begin, gradients = 0, []
        for p in self.parameters:
            end = begin + p.numel()
            p.data = self.weights[begin:end].view_as(p)
            gradients.append(self.gradient[begin:end].view_as(p))
            begin = end
        return gradients

    def _gather(self) -> Tensor:
        """The gradients as one float32 vector. The model is rid of them: autograd then need not add to old ones."""
        for p, gradient in zip(self.parameters, self._gradients, strict=True):
            gradient.zero_() if p.grad is None else gradient.copy_(p.grad)
            p.grad = None
        return self.gradient

    def _set_moments(self, update: int, second: Tensor) -> None:
        self.adam.state[self.head] = {
            "step": torch.tensor(float(update), device=self.master.device),
            "exp_avg": self.momentum[: len(self.head)],
            "exp_avg_sq": second,
        }

    def step(self, update: int, tokens: int, position: float | None = None) -> Tensor:
        """One update from gradients of a summed loss, which every rank has of its own share.

        Args:
            update: number of this update, from 1.
            tokens: target tokens the loss was summed over, by all ranks.
            position: where the schedule stands, in updates; `update` itself unless time is short.

        Returns:
            The gradient's norm per token before clipping (a tensor: reading it costs a device synchronisation).
        """
        gradient = self.ranks.all_reduce(self._gather())
        norm = gradient.norm() / tokens
        factor = (self.config.max_grad_norm / (norm + 1e-6)).clamp(max=1) if self.config.max_grad_norm > 0 else 1.0
        gradient = self.shards.own(gradient).mul_(factor / tokens)
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
        """Hand the model its weights in its own precision."""
        # Rounding needs whole rows in float32; otherwise ranks send each other no more than what is computed with.
        wide = self.bits or self.ranks.size == 1
        whole = self.shards.whole(self.master if wide else self.master.to(self.weights.dtype))
        self.weights.copy_(whole)
        for begin, end, columns in self._matrices:
            rows = fake_quantize(whole[begin:end].view(-1, columns), self.bits)
            self.weights[begin:end].view(-1, columns).copy_(rows)

    def _average(self, update: int) -> None:
        """Take the weights into their moving average; later on only every eighth update, with the same memory."""
        decay = self.config.ema_decay
        if decay == 0:
            self.average.copy_(self.master)
        elif update <= _AVERAGE_WARMUP or update % _AVERAGE_EVERY == 0:
            # The usual correction: early on the average must not remember the random start.
            decay_factor = min(decay, update / (10 + update)) ** (1 if update <= _AVERAGE_WARMUP else _AVERAGE_EVERY)
            self.average.lerp_(self.master, 1 - decay_factor)

    def whole_average(self) -> Tensor:
        """The averaged weights of all ranks, on the CPU."""
        return self.shards.whole(self.average).cpu()

    def state(self) -> dict[str, Tensor]:
        """Everything that must be kept to go on, as flat float32 vectors: of all ranks, whichever had what."""
        vectors = {"master": self.master, "average": self.average, "first_moment": self.momentum}
        whole = {name: self.shards.whole(vector) for name, vector in vectors.items()}
        return whole | {"second_moment": self.shards.whole_head(self.adam.state[self.head]["exp_avg_sq"])}

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], update: int) -> None:
        """Go on from `state()` as it was after `update` updates."""
        self.master.copy_(self.shards.own(state["master"]))
        self.average.copy_(self.shards.own(state["average"]))
        self.momentum.copy_(self.shards.own(state["first_moment"]))
        self._cast_weights()
        second = self.shards.own_head(state["second_moment"])
        self._set_moments(update, second.to(self.master.device, copy=True))


def _layout(model: nn.Module) -> tuple[list[nn.Parameter], list[Stack]]:
    """The parameters that are learnt, in the order they lie in the flat vector, and the layers' matrices among them.

    Embeddings, biases and norms come first; then the matrices of the layers, those of one shape together.
    """
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trainable if p.dim() == 2 and ".layers." in name]
    matrices.sort(key=lambda p: tuple(p.shape))
    matrix_ids = {id(p) for p in matrices}
    others = [p for _, p in trainable if id(p) not in matrix_ids]
    stacks, begin = [], sum(p.numel() for p in others)
    for shape, group in groupby(matrices, key=lambda p: tuple(p.shape)):
        stacks.append(Stack(begin, len(list(group)), *shape))
        begin = stacks[-1].end
    return others + matrices, stacks


def _matrices(parameters: list[nn.Parameter]) -> list[tuple[int, int, int]]:
    """Where matrices begin and end in the flat vector, and their columns; neighbours of one width are one."""
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
    """Write a flat vector of weights into a model's parameters, in the order `FlatOptimizer` lays them.

    Raises:
        ValueError: the model learns other parameters than the one the vector is of.
    """
    parameters, begin = _layout(model)[0], 0
    size = sum(p.numel() for p in parameters)
    if size != len(flat):
        raise ValueError(f"{len(flat)} weights do not fit a model that learns {size}")
    for p in parameters:
        p.copy_(flat[begin : begin + p.numel()].view_as(p))
        begin += p.numel()


def learning_rate(config: TrainingConfig, update: int, position: float | None = None) -> float:
    """Learning rate of an update counted from 1: a linear climb, then the schedule's fall.

    `position` is where the schedule stands, in updates: beyond `update` when the seconds allowed run out first.
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
