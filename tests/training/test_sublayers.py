import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distilmt.training.packing import Packing
from distilmt.training.sublayers import attend, normed_sum, project, relu_feed_forward


def drawn(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def assert_same(fast, plain, tensors, counts=None):
    """Values and all gradients of two functions of the same tensors, under the same outer gradient.

    What `counts` is false for may differ in value and gets no outer gradient.
    """
    results = []
    for function in (fast, plain):
        found = function(*tensors)
        kept = torch.ones_like(found, dtype=torch.bool) if counts is None else counts.expand(found.shape)
        outer = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found) * kept
        results.append([found[kept], *torch.autograd.grad((found * outer).sum(), tensors)])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted)


MASK = torch.arange(5) < torch.tensor([2, 5, 3])[:, None]
PACKING = Packing(MASK.flatten().nonzero().flatten(), MASK.shape)


def rows_of(padded):
    """[B, T, d] as rows by plain indexing; zeros behind the words."""
    return F.pad(padded.flatten(0, 1)[MASK.flatten()], (0, 0, 0, PACKING.rows - PACKING.words))


def padded_of(rows):
    """Rows as [B, T, d] by plain indexing; zeros where there is padding."""
    padded = rows.new_zeros(MASK.numel(), rows.shape[1])
    return padded.index_put((PACKING.cells[: PACKING.words],), rows[: PACKING.words]).unflatten(0, MASK.shape)


def plain_projection(x, weight, bias):
    return padded_of(F.linear(x, weight, bias)).unflatten(2, (3, 4, -1)).permute(2, 0, 3, 1, 4)


@pytest.mark.parametrize("part", [slice(None), slice(1, 2)])
def test_project(part):
    tensors = drawn((PACKING.rows, 6), (24, 6), (24,), dtype=torch.float32)
    assert_same(
        lambda *t: torch.stack(project(*t, PACKING, 3, 4))[part],
        lambda *t: plain_projection(*t)[part],
        tensors,
        MASK[None, :, None, :, None],
    )


@pytest.mark.parametrize("masked", [0, 3])
def test_attend(masked):
    bias = torch.zeros(1, 1, 1, 7, dtype=torch.float64)
    bias[..., 7 - masked :] = torch.finfo(bias.dtype).min

    def plain(query, key, value):
        return rows_of((torch.softmax(query @ key.mT * 0.3 + bias, -1) @ value).transpose(1, 2).flatten(2))

    words = torch.arange(PACKING.rows)[:, None] < PACKING.words
    tensors = drawn((3, 4, 5, 3), (3, 4, 7, 3), (3, 4, 7, 3))
    assert_same(lambda *t: attend(*t, bias, PACKING, 0.3), plain, tensors, words)


def test_relu_feed_forward():
    def plain(x, w1, b1, w2, b2):
        return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)

    assert_same(relu_feed_forward, plain, drawn((10, 6), (9, 6), (9,), (6, 9), (6,), dtype=torch.float32))


@pytest.mark.parametrize("dropped", [True, False])
def test_normed_sum(dropped):
    norm = nn.LayerNorm(6).double()
    residual, x, norm.weight.data, norm.bias.data = drawn((10, 6), (10, 6), (6,), (6,))
    mask = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(1)) * 2.0 if dropped else None
    tensors = [residual, x, norm.weight, norm.bias]
    assert_same(
        lambda *_: normed_sum(norm, residual, x, mask),
        lambda *_: norm(residual + (x if mask is None else x * mask)),
        tensors,
    )
