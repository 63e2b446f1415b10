from dataclasses import replace

import pytest
import torch
from torch import nn

from distilmt.config import TrainingConfig
from distilmt.training.muon import Stack, muon_step, orthogonal
from distilmt.training.optimizer import FlatOptimizer, load_flat

CONFIG = TrainingConfig(
    max_steps=50, warmup_steps=3, learning_rate=0.02, max_grad_norm=0, ema_decay=0.9, weight_decay=0.0
)
SHAPES = [(4, 8), (8, 4), (6, 6)]


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_equals_torchs_muon(rows, columns):
    torch.manual_seed(1)
    stack = Stack(3, 2, rows, columns)
    flat = torch.randn(stack.end + 5)
    reference = [nn.Parameter(w.clone()) for w in stack.of(flat)]
    momentum, before = torch.zeros_like(flat), flat.clone()
    muon = torch.optim.Muon(reference, lr=0.02, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for update in range(400, 406):  # beyond the momentum's warm-up, which torch's does not have
        gradient = torch.randn(len(flat))
        muon_step(stack, flat, gradient.clone(), momentum, 0.02, update, torch.bfloat16)
        for p, g in zip(reference, stack.of(gradient), strict=True):
            p.grad = g.clone()
        muon.step()
    for own, other in zip(stack.of(flat), reference, strict=True):
        # bf16 is rounded in another order: a direction of the step may differ by its last bits.
        torch.testing.assert_close(own, other.detach(), atol=0.02, rtol=0)
        assert (own - other).norm() < 0.02 * (own - stack.of(before)[0]).norm() + 0.02
    assert torch.equal(flat[:3], before[:3]) and torch.equal(flat[stack.end :], before[stack.end :])


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_orthogonal_evens_out_the_singular_values(rows, columns, scale):
    torch.manual_seed(2)
    matrices = torch.randn(5, rows, columns) * scale
    result = orthogonal(matrices)
    values = torch.linalg.svdvals(result)
    assert values.max() < 1.3 and values.median() > 0.6
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    cosine = ((u @ v) * result).sum((1, 2)) / (u @ v).norm(dim=(1, 2)) / result.norm(dim=(1, 2))
    assert cosine.min() > 0.85  # and it is the nearest such matrix, not just any


def test_zero_gradients_change_nothing():
    stack, flat = Stack(0, 2, 3, 3), torch.ones(18)
    muon_step(stack, flat, torch.zeros(18), torch.zeros(18), 0.1, 1, torch.float32)
    assert torch.equal(flat, torch.ones(18))


class Deep(nn.Module):
    """Named like a transformer: an embedding first, two layers with a matrix of either shape."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Embedding(7, 4)
        self.stack = nn.Module()
        self.stack.layers = nn.ModuleList(nn.ModuleList([nn.Linear(4, 6), nn.Linear(6, 4)]) for _ in range(2))

    def layer_matrices(self) -> list[nn.Parameter]:
        return [p for p in self.stack.layers.parameters() if p.dim() == 2]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for up, down in self.stack.layers:
            x = x + down(torch.relu(up(x)))
        return x


def train(model: nn.Module, optimizer: FlatOptimizer, begin: int, end: int) -> float:
    for update in range(begin, end + 1):
        loss = (model(torch.arange(7)) - torch.eye(7)[:, :4]).square().sum()
        loss.backward()
        optimizer.step(update, 7)
    return float(loss.detach())


@pytest.mark.parametrize("kind", ["muon", "adam"])
def test_only_the_matrices_of_layers_have_muon(kind):
    model = Deep()
    config = replace(CONFIG, optimizer=kind)
    optimizer = FlatOptimizer(model, config, torch.float32)
    assert [(s.count, s.rows, s.columns) for s in optimizer.stacks] == (
        [(2, 4, 6), (2, 6, 4)] if kind == "muon" else []
    )
    matrices = sum(p.numel() for n, p in model.named_parameters() if p.dim() == 2 and "layers" in n)
    assert len(optimizer.master) - len(optimizer.head) == (matrices if kind == "muon" else 0)


@pytest.mark.parametrize("kind", ["muon", "adam"])
def test_learns_and_resumes_bit_by_bit(kind):
    config = replace(CONFIG, optimizer=kind, weight_decay=0.01)
    straight, first, second = Deep(), Deep(), Deep()
    whole = FlatOptimizer(straight, config, torch.float32)
    begin = train(straight, whole, 1, 1)
    assert train(straight, whole, 2, 40) < 0.3 * begin
    half = FlatOptimizer(first, config, torch.float32)
    train(first, half, 1, 20)
    remainder = FlatOptimizer(second, config, torch.float32)
    remainder.load_state({name: tensor.detach().clone() for name, tensor in half.state().items()}, 20)
    train(second, remainder, 21, 40)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, remainder.state()[name]), name
    averaged = Deep()
    load_flat(averaged, whole.master)
    for own, other in zip(averaged.parameters(), straight.parameters(), strict=True):
        assert torch.equal(own, other)
