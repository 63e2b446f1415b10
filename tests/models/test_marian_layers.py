import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distilmt.models.marian_layers import attend, normed_sum, project, relu_feed_forward
from distilmt.models.packing import PackedTokens, Packing, fill_bins


def sample(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def assert_same(fast, plain, tensors, counts=None):
    """Values and all gradients of two functions of the same tensors, under the same outer gradient.

    What `counts` is false for may differ in value and gets no outer gradient.
    """
    results = []
    for function in (fast, plain):
        result = function(*tensors)
        remaining = torch.ones_like(result, dtype=torch.bool) if counts is None else counts.expand(result.shape)
        outer = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view_as(result) * remaining
        results.append([result[remaining], *torch.autograd.grad((result * outer).sum(), tensors)])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)


LENGTHS = np.array([2, 40, 5, 3, 29])
BINS = fill_bins(LENGTHS, LENGTHS)
WORDS = PackedTokens.of(np.arange(LENGTHS.sum()), LENGTHS, BINS.target)
PACKING = Packing(WORDS, BINS.blocks)
HEADS = 4


def rows_of(cells):
    """By cells [cells, d], as rows by plain indexing; zeros behind the words."""
    return F.pad(cells[WORDS.cells], (0, 0, 0, PACKING.rows - PACKING.tokens))


def by_heads(rows):
    """Rows [rows, d] as one [rows, heads, width, d / heads] for every block by plain indexing, zeros at padding."""
    sizes = [count * width for count, width in BINS.blocks]
    cells = rows.new_zeros(sum(sizes), rows.shape[1]).index_put((WORDS.cells,), rows[: PACKING.tokens])
    parts = zip(cells.split(sizes), BINS.blocks, strict=True)
    return [part.view(*block, HEADS, -1).transpose(1, 2) for part, block in parts]


def plain_projection(x, weight, bias):
    parts = F.linear(x, weight, bias).chunk(3, -1)
    return torch.stack([torch.cat([block.flatten(0, 2) for block in by_heads(part)]) for part in parts])


@pytest.mark.parametrize("part", [slice(None), slice(1, 2)])
def test_project(part):
    tensors = sample((PACKING.rows, 6), (24, 6), (24,), dtype=torch.float32)
    words = torch.cat([block.flatten(0, 2) for block in by_heads(torch.ones(PACKING.rows, 8))])[None] > 0
    assert_same(
        lambda *t: torch.stack(project(*t, PACKING, 3, HEADS))[part],
        lambda *t: plain_projection(*t)[part],
        tensors,
        words[..., :1],
    )


@pytest.mark.parametrize("causal", [False, True])
def test_attend(causal):
    biases = PACKING.attention_biases(PACKING, torch.float64, causal)
    assert len(biases) == 2

    def plain(query, key, value):
        blocks = zip(*(PACKING.by_block(cells, HEADS) for cells in (query, key, value)), biases, strict=True)
        result = [torch.softmax(q @ k.mT * 0.3 + bias, -1) @ v for q, k, v, bias in blocks]
        return rows_of(torch.cat([block.transpose(1, 2).flatten(2).flatten(0, 1) for block in result]))

    words = torch.arange(PACKING.rows)[:, None] < PACKING.tokens
    shape = (HEADS * sum(count * width for count, width in BINS.blocks), 3)
    tensors = sample(shape, shape, shape)
    assert_same(lambda *t: attend(*t, biases, PACKING, HEADS, 0.3), plain, tensors, words)


def test_relu_feed_forward():
    def plain(x, w1, b1, w2, b2):
        return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)

    assert_same(relu_feed_forward, plain, sample((10, 6), (9, 6), (9,), (6, 9), (6,), dtype=torch.float32))


@pytest.mark.parametrize("dropped", [True, False])
def test_normed_sum(dropped):
    norm = nn.LayerNorm(6).double()
    residual, x, norm.weight.data, norm.bias.data = sample((10, 6), (10, 6), (6,), (6,))
    mask = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(1)) * 2.0 if dropped else None
    tensors = [residual, x, norm.weight, norm.bias]
    assert_same(
        lambda *_: normed_sum(norm, residual, x, mask),
        lambda *_: norm(residual + (x if mask is None else x * mask)),
        tensors,
    )
