import numpy as np
import torch
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.models.packing import PackedTokens, Packing, fill_bins

LENGTHS = st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=60)


def packings(lengths):
    """Packings of both sides of a batch whose words are numbered."""
    sides = np.array(lengths, dtype=np.int64).T
    bins = fill_bins(*sides)
    begins = bins.source, bins.target
    words = [PackedTokens.of(np.arange(side.sum()), side, begin) for side, begin in zip(sides, begins, strict=True)]
    return words, [Packing(side, bins.blocks) for side in words], bins


@given(LENGTHS)
@settings(max_examples=example_count(100), deadline=None)
def test_every_word_has_a_cell_in_its_sentences_row(lengths):
    words, _, bins = packings(lengths)
    first = np.cumsum([0, *(rows * width for rows, width in bins.blocks)])
    for side in words:
        cells, sentences = side.cells.numpy(), side.sentences.numpy()
        assert len(set(cells.tolist())) == len(cells) and cells.max() < first[-1]
        for sentence, sizes in enumerate(lengths):
            own = cells[sentences == sentence]
            assert own.tolist() == list(range(own[0], own[0] + len(own)))
            block = np.searchsorted(first, own[0], "right") - 1
            width = bins.blocks[block][1]
            assert max(sizes) <= width
            assert (own[0] - first[block]) // width == (own[-1] - first[block]) // width


def rows_of(cells, bins):
    """The row of each cell, counted through all blocks."""
    rows = [np.repeat(np.arange(count), width) + 1000 * i for i, (count, width) in enumerate(bins.blocks)]
    return np.concatenate(rows)[cells]


@given(LENGTHS)
@settings(max_examples=example_count(60), deadline=None)
def test_source_and_target_share_a_row(lengths):
    words, _, bins = packings(lengths)
    rows = [rows_of(side.cells.numpy(), bins) for side in words]
    for sentence in range(len(lengths)):
        result = [set(r[side.sentences.numpy() == sentence]) for r, side in zip(rows, words, strict=True)]
        assert result[0] == result[1] and len(result[0]) == 1


@given(LENGTHS, st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=example_count(100), deadline=None)
def test_there_and_back(lengths, parts, heads):
    """Every word's vectors reach its own cell of the right part and head, and come back."""
    (_, words), (_, packing), bins = packings(lengths)
    assert packing.rows % 128 == 0 and packing.tokens == sum(t for _, t in lengths) < packing.rows
    rows = torch.arange(packing.rows * parts * heads * 2.0).view(packing.rows, -1)
    spread = packing.spread(rows, parts, heads)
    plain = rows[: packing.tokens].view(-1, parts, heads, 2)
    for part in range(parts):
        blocks = packing.by_block(spread[part], heads)
        assert [(len(block), block.shape[2]) for block in blocks] == bins.blocks
        by_cell = torch.cat([block.transpose(1, 2).flatten(0, 1) for block in blocks])
        assert torch.equal(by_cell[words.cells], plain[:, part])
    assert torch.equal(packing.gather(spread, heads)[: packing.tokens], rows[: packing.tokens])
    assert packing.positions[: packing.tokens].tolist() == [i for _, length in lengths for i in range(length)]
    assert packing.pad(words.ids)[: packing.tokens].tolist() == list(range(packing.tokens))


def test_padding_takes_a_row_that_is_no_word():
    """So that a gradient that is zero behind the words is zero at padding."""
    (_, words), (_, packing), _ = packings([(1, 1), (5, 2)])
    rows = torch.ones(packing.rows, 4)
    rows[packing.tokens :] = 0
    by_cell = packing.spread(rows, 1, 1)[0]
    assert by_cell[words.cells].all() and int(by_cell.count_nonzero()) == 3 * 4


@given(LENGTHS)
@settings(max_examples=40, deadline=None)
def test_sentences_are_preserved_apart(lengths):
    words, sides, bins = packings(lengths)
    places = [(side.sentences.tolist(), side.positions.tolist()) for side in words]
    for queries, keys, causal in ((0, 0, False), (1, 1, True), (1, 0, False)):
        biases = sides[queries].attention_biases(sides[keys], torch.float32, causal)
        first = 0
        for (count, width), bias in zip(bins.blocks, biases, strict=True):
            assert bias.shape == (count, 1, width, width)
            there = [{c - first: i for i, c in enumerate(side.cells.tolist()) if first <= c} for side in words]
            for query, key in np.random.default_rng(0).integers(0, count * width, (200, 2)):
                if query // width != key // width or query not in there[queries]:
                    continue
                seen = bias[query // width, 0, query % width, key % width] == 0
                expected = key in there[keys]
                if expected:
                    a, b = there[queries][query], there[keys][key]
                    expected = places[queries][0][a] == places[keys][0][b]
                    expected &= not causal or places[queries][1][a] >= places[keys][1][b]
                assert bool(seen) == expected
            first += count * width


def test_rows_are_few_and_come_in_few_shapes():
    random, shapes = np.random.default_rng(0), set()
    for _ in range(50):
        lengths = np.clip(random.lognormal(2.5, 0.4, (2, 150)).astype(np.int64), 1, 60)
        blocks = fill_bins(*lengths).blocks
        shapes |= set(blocks)
        # A row of its own for every sentence would take 150 rows as wide as the longest.
        assert sum(rows * width for rows, width in blocks) < 1.45 * lengths.sum(1).max()
    assert len(shapes) < 25
