import ctranslate2
import numpy as np
import pytest
import torch
from ctranslate2.specs.common_spec import LinearSpec
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distilmt.config import TrainingConfig
from distilmt.training.fake_quantize import fake_quantize
from distilmt.training.optimizer import FlatOptimizer


def as_ctranslate2(rows: np.ndarray) -> np.ndarray:
    """The weights CTranslate2 computes with in int8, by its own converter's code."""
    assert ctranslate2.__version__
    spec = LinearSpec()
    spec.weight = rows.copy()
    spec.validate()
    spec.optimize(quantization="int8")
    return spec.weight.numpy().astype("float32") / np.asarray(spec.weight_scale.numpy())[:, None]


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 40))
def test_eight_bits_are_what_ctranslate2_computes_with(seed, rows, columns):
    weights = np.random.default_rng(seed).normal(size=(rows, columns)).astype("float32")
    weights[0] = 0
    ours = fake_quantize(torch.from_numpy(weights), 8).numpy()
    np.testing.assert_allclose(ours, as_ctranslate2(weights), atol=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_rounding_twice_is_rounding_once_and_few_values_are_left(seed, bits):
    rows = torch.randn(4, 50, generator=torch.Generator().manual_seed(seed))
    once = fake_quantize(rows, bits)
    torch.testing.assert_close(fake_quantize(once, bits), once)
    assert all(len(torch.unique(row)) <= 2**bits - 1 for row in once)
    assert (once - rows).abs().max() <= rows.abs().max() / (2 ** (bits - 1) - 1)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_the_model_computes_with_rounded_matrices_and_learns_all_the_same(optimizer):
    torch.manual_seed(1)
    model, truth = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4)), nn.Linear(8, 4)
    config = TrainingConfig(max_steps=300, warmup_steps=10, learning_rate=0.01, optimizer=optimizer, ema_decay=0.9)
    flat = FlatOptimizer(model, config, torch.float32, bits=4)
    losses = []
    for update in range(1, 301):
        x = torch.randn(32, 8, generator=torch.Generator().manual_seed(update))
        loss = (model(x) - truth(x)).square().sum()
        losses.append(float(loss))
        loss.backward()
        flat.step(update, 32)
        for matrix in (model[0].weight, model[2].weight):
            torch.testing.assert_close(fake_quantize(matrix.detach(), 4), matrix.detach())
    assert not torch.equal(fake_quantize(flat.master[-96:].view(-1, 8), 4), flat.master[-96:].view(-1, 8))  # kept finer
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])


def test_going_on_computes_with_rounded_matrices_too():
    first, second = (nn.Sequential(nn.Linear(6, 5)) for _ in range(2))
    config = TrainingConfig(max_steps=5)
    state = FlatOptimizer(first, config, torch.float32, bits=3).state()
    FlatOptimizer(second, config, torch.float32, bits=3).load_state(state, 1)
    torch.testing.assert_close(second[0].weight, first[0].weight)
    torch.testing.assert_close(fake_quantize(second[0].weight.detach(), 3), second[0].weight.detach())
