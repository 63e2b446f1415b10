import copy
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from distilmt.config import TrainingConfig
from distilmt.training.optimizer import FlatOptimizer, learning_rate, load_flat

CONFIG = TrainingConfig(
    max_steps=50, warmup_steps=3, learning_rate=0.02, max_grad_norm=1.0, ema_decay=0.9, weight_decay=0.01
)
FP32 = torch.float32


def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3))


def loss(model: nn.Module, update: int) -> torch.Tensor:
    """Summed, as in training; big enough on some updates for clipping to bite."""
    generator = torch.Generator().manual_seed(update)
    x = torch.randn(20, 6, generator=generator)
    return (model(x) - torch.randn(20, 3, generator=generator) * (8 if update % 3 else 0.1)).square().sum()


def steps(model: nn.Module, optimizer: FlatOptimizer, begin: int, end: int) -> list[float]:
    norms = []
    for update in range(begin, end + 1):
        loss(model, update).backward()
        norms.append(float(optimizer.step(update, 20)))
    return norms


@pytest.mark.parametrize("clip", [10.0, 0.0])
def test_equals_adamw_parameter_by_parameter(clip):
    ours, reference = network(), network()
    config = replace(CONFIG, max_grad_norm=clip)
    optimizer = FlatOptimizer(ours, config, FP32)
    adam = torch.optim.AdamW(reference.parameters(), betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01)
    average, norms = copy.deepcopy(reference), []
    for update in range(1, 9):
        (loss(reference, update) / 20).backward()
        norms.append(float(nn.utils.clip_grad_norm_(reference.parameters(), clip or float("inf"))))
        adam.param_groups[0]["lr"] = learning_rate(config, update)
        adam.step()
        adam.zero_grad()
        decay = min(0.9, update / (10 + update))
        for mean, parameter in zip(average.parameters(), reference.parameters(), strict=True):
            mean.data = decay * mean.data + (1 - decay) * parameter.data
    assert steps(ours, optimizer, 1, 8) == pytest.approx(norms, rel=1e-4)
    assert max(norms) > 10 > min(norms)  # some are clipped, some are not
    for own, other in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-4)
    averaged = network()
    load_flat(averaged, optimizer.average)
    for own, other in zip(averaged.parameters(), average.parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-4)


def test_weights_of_a_model_that_learns_others_are_refused():
    frozen = network()
    next(frozen.parameters()).requires_grad_(False)
    with pytest.raises(ValueError, match="do not fit a model with"):
        load_flat(frozen, FlatOptimizer(network(), CONFIG, FP32).average)


def test_the_average_remembers_as_long_when_it_is_taken_less_often():
    model, expected = network(), None
    optimizer = FlatOptimizer(model, replace(CONFIG, max_steps=400, ema_decay=0.99), FP32)
    for update in range(1, 201):
        steps(model, optimizer, update, update)
        remaining = min(0.99, update / (10 + update))
        expected = optimizer.master.detach() * (1 - remaining) + (expected * remaining if expected is not None else 0)
    start = optimizer.average - expected
    assert float(start.norm() / expected.norm()) < 0.02


def test_average_turned_off_is_the_weights():
    model = network()
    optimizer = FlatOptimizer(model, replace(CONFIG, ema_decay=0.0), FP32)
    steps(model, optimizer, 1, 3)
    assert torch.equal(optimizer.average, optimizer.master.detach())
    assert torch.equal(optimizer.average, torch.cat([p.detach().flatten() for p in model.parameters()]))


def test_bf16_computes_with_copies_of_float32_weights():
    model = network()
    optimizer = FlatOptimizer(model, CONFIG, torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    before = optimizer.master.detach().clone()
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e-3)
    optimizer.step(1, 1)
    assert optimizer.master.dtype == FP32 and not torch.equal(before, optimizer.master)
    assert torch.equal(optimizer.weights, optimizer.master.detach().bfloat16())
    assert all(p.grad is None for p in model.parameters())


def test_tied_weights_are_learnt_once():
    model = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)])
    model[1].weight = model[0].weight
    optimizer = FlatOptimizer(model, CONFIG, FP32)
    assert optimizer.master.numel() == 16
    model[1](model[0](torch.ones(1, 4))).sum().backward()
    optimizer.step(1, 1)
    assert model[1].weight is model[0].weight


def test_state_round_trip_goes_on_bit_by_bit():
    straight, first, second = network(), network(), network()
    whole = FlatOptimizer(straight, CONFIG, FP32)
    steps(straight, whole, 1, 10)
    half = FlatOptimizer(first, CONFIG, FP32)
    steps(first, half, 1, 6)
    state = {name: tensor.detach().clone() for name, tensor in half.state().items()}
    remainder = FlatOptimizer(second, CONFIG, FP32)
    remainder.load_state(state, 6)
    steps(second, remainder, 7, 10)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, remainder.state()[name]), name
    for a, b in zip(straight.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_state_before_the_first_update_can_be_preserved():
    model = network()
    state = FlatOptimizer(model, CONFIG, FP32).state()
    assert {name: tensor.numel() for name, tensor in state.items()} == dict.fromkeys(state, len(state["master"]))
    assert len(state) == 4


@pytest.mark.parametrize("schedule", ["linear", "cosine", "inverse_sqrt"])
@pytest.mark.parametrize(("updates", "warmup"), [(1000, 100), (100, 400), (3, 400), (1, 1)])
def test_schedule_climbs_then_falls(schedule, updates, warmup):
    config = TrainingConfig(max_steps=updates, warmup_steps=warmup, learning_rate=0.5, lr_scheduler=schedule)
    rates = [learning_rate(config, update) for update in range(1, updates + 1)]
    top = max(1, min(warmup, updates // 5))
    assert rates[top - 1] == max(rates) == 0.5
    assert all(0 < a < b for a, b in pairwise(rates[:top]))
    assert all(a >= b >= 0 for a, b in pairwise(rates[top - 1 :]))
    if schedule != "inverse_sqrt" and updates > 1:
        assert rates[-1] <= 0.01 * 0.5
