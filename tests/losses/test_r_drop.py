import pytest
import torch
from torch.nn import functional as F

from distilmt.losses import r_drop as module
from distilmt.losses.r_drop import r_drop_loss


def case(dtype=torch.float64):
    make = torch.Generator().manual_seed(1)
    return [torch.randn(*s, generator=make).to(dtype).requires_grad_() for s in ((11, 6), (11, 6), (20, 6))]


def test_it_is_the_symmetric_divergence_whatever_the_chunks(monkeypatch):
    first, second, weight = case()
    a, b = ((h @ weight[:18].T).log_softmax(-1) for h in (first, second))
    both = [F.kl_div(a, b, reduction="sum", log_target=True), F.kl_div(b, a, reduction="sum", log_target=True)]
    plain = sum(both) / 2
    for logits in (1 << 23, 60):
        monkeypatch.setattr(module, "CHUNK_LOGITS", logits)
        result = r_drop_loss(first, second, weight, vocabulary=18)
        torch.testing.assert_close(result, plain)
        for one, other in zip(
            torch.autograd.grad(result, (first, second, weight)),
            torch.autograd.grad(plain, (first, second, weight), retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


def test_passes_that_agree_cost_nothing():
    first, _, weight = case()
    assert r_drop_loss(first, first, weight).abs() < 1e-12


def test_bf16_is_near():
    exact, rough = (r_drop_loss(*case(dtype)).item() for dtype in (torch.float64, torch.bfloat16))
    assert rough == pytest.approx(exact, rel=0.05)
