import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distilmt.training.sublayers import attend, normed_sum, project, relu_feed_forward


def drawn(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def equal(fast, plain, tensors):
    """Values and all gradients of two functions of the same tensors, under the same outer gradient."""
    results = []
    for function in (fast, plain):
        found = function(*tensors)
        outer = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
        results.append([found, *torch.autograd.grad((found * outer).sum(), tensors)])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted)


def plain_projection(x, weight, bias):
    return F.linear(x, weight, bias).unflatten(2, (3, 4, -1)).permute(2, 0, 3, 1, 4)


def test_project():
    tensors = drawn((2, 5, 6), (24, 6), (24,), dtype=torch.float32)
    equal(lambda x, weight, bias: torch.stack(project(x, weight, bias, 3, 4)), plain_projection, tensors)


def test_project_where_one_part_is_not_used():
    tensors = drawn((2, 5, 6), (24, 6), (24,), dtype=torch.float32)
    equal(lambda *t: project(*t, 3, 4)[1], lambda *t: plain_projection(*t)[1], tensors)


@pytest.mark.parametrize("masked", [0, 3])
def test_attend(masked):
    bias = torch.zeros(1, 1, 1, 7, dtype=torch.float64)
    bias[..., 7 - masked :] = torch.finfo(bias.dtype).min

    def plain(query, key, value):
        return (torch.softmax(query @ key.mT * 0.3 + bias, -1) @ value).transpose(1, 2).flatten(2)

    equal(lambda *t: attend(*t, bias, 0.3), plain, drawn((2, 4, 5, 3), (2, 4, 7, 3), (2, 4, 7, 3)))


def test_relu_feed_forward():
    def plain(x, w1, b1, w2, b2):
        return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)

    equal(relu_feed_forward, plain, drawn((2, 5, 6), (9, 6), (9,), (6, 9), (6,), dtype=torch.float32))


@pytest.mark.parametrize("dropped", [True, False])
def test_normed_sum(dropped):
    norm = nn.LayerNorm(6).double()
    residual, x, norm.weight.data, norm.bias.data = drawn((2, 5, 6), (2, 5, 6), (6,), (6,))
    mask = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(1)) * 2.0 if dropped else None
    tensors = [residual, x, norm.weight, norm.bias]
    equal(
        lambda *_: normed_sum(norm, residual, x, mask),
        lambda *_: norm(residual + (x if mask is None else x * mask)),
        tensors,
    )
