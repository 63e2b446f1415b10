"""Where the words of a batch stand: one behind the other for most of a transformer, in short rows for attention.

Only attention needs sentences as rows of a matrix. Everything else works on words one by one, and would be computed
for padding for nothing. Attention computes padding too, so several short sentences share a row, kept apart by a mask.
Batches of any mix of lengths are then as fast as batches of one length, which learn less in an update.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_MULTIPLE = 128
_WIDTH = 32
_ROWS = 4

BlockShape = tuple[int, int]
"""Rows and width of a matrix of cells."""


@dataclass
class Bins:
    """Places of a batch's sentences in blocks of rows, the same row for source and target."""

    blocks: list[BlockShape]
    """Widths ascend; cells are numbered through all blocks, row by row."""
    source: np.ndarray
    """[B]: the cell in which each source sentence begins."""
    target: np.ndarray
    """[B]: the same for the target."""


def fill_bins(source: np.ndarray, target: np.ndarray) -> Bins:
    """Put sentences of these lengths into rows, the longest first, each into the row that it fills best.

    Widths are 32 and its doubles, numbers of rows multiples of 4: kernels for matrix products are made for a shape
    when it is first met, which takes longer than the product.
    """
    pairs = list(zip(source.tolist(), target.tolist(), strict=True))
    rows: list[tuple[int, list[int]]] = []  # width, sentences
    room: list[tuple[int, int]] = []
    by_room: list[list[int]] = []  # rows, by the lesser room of the two sides
    for sentence in np.argsort(-np.maximum(source, target), kind="stable").tolist():
        s, t = pairs[sentence]
        row = next((fitting.pop() for fitting in by_room[max(s, t) :] if fitting), len(rows))
        if row == len(rows):
            width = _width(max(s, t))
            rows.append((width, []))
            room.append((width, width))
            by_room += [[] for _ in range(width + 1 - len(by_room))]
        rows[row][1].append(sentence)
        room[row] = (room[row][0] - s, room[row][1] - t)
        by_room[min(room[row])].append(row)
    return _number_cells(rows, pairs)


def _width(longest: int) -> int:
    width = _WIDTH
    while width < longest:
        width *= 2
    return width


def _number_cells(rows: list[tuple[int, list[int]]], pairs: list[tuple[int, int]]) -> Bins:
    """Number the cells of rows of sentences."""
    by_width: dict[int, list[list[int]]] = defaultdict(list)
    for width, sentences in rows:
        by_width[width].append(sentences)
    bins = Bins([], np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64))
    begin = 0
    for width, block in sorted(by_width.items()):
        for number, sentences in enumerate(block):
            s = t = begin + number * width
            for sentence in sentences:
                bins.source[sentence], bins.target[sentence] = s, t
                s, t = s + pairs[sentence][0], t + pairs[sentence][1]
        bins.blocks.append((-(-len(block) // _ROWS) * _ROWS, width))
        begin += bins.blocks[-1][0] * width
    return bins


@dataclass
class PackedTokens:
    """One side of a batch, its sentences' words one behind the other, [N] each."""

    ids: Tensor
    positions: Tensor
    """Place of each word in its sentence."""
    sentences: Tensor
    """The sentence each word belongs to."""
    cells: Tensor
    """Each word's place in the blocks."""

    @classmethod
    def of(cls, flat: np.ndarray, lengths: np.ndarray, begins: np.ndarray) -> PackedTokens:
        """Words `flat` of sentences of these lengths, which begin in these cells."""
        positions = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sentences = np.repeat(np.arange(len(lengths)), lengths)
        return cls(*map(torch.from_numpy, (flat, positions, sentences, positions + begins[sentences])))

    def to(self, device: torch.device) -> PackedTokens:
        """The same on a device."""
        return PackedTokens(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


class Packing:
    """Maps the cells of one side of a batch to rows of vectors, a word each, and back.

    There are more rows than words: the next multiple of 128, because kernels for matrix products are made anew for
    every shape. Rows behind the words hold anything finite, reach no word, and get no gradient.

    Vectors by cell lie as [cells · heads, d / heads], block behind block, each block [rows, heads, width, d / heads].
    """

    def __init__(self, tokens: PackedTokens, blocks: list[BlockShape]) -> None:
        """Lay out one side of a batch."""
        cells = tokens.cells
        self.blocks, self.words = blocks, len(cells)
        self.rows = (self.words // _MULTIPLE + 1) * _MULTIPLE
        self.positions = self.pad(tokens.positions)
        size = sum(rows * width for rows, width in blocks)
        # Padding takes the first row that is no word, and belongs to sentence -1.
        self._row_of = cells.new_full((size,), self.words)
        self._row_of[cells] = torch.arange(self.words, device=cells.device)
        self._sentence_of = cells.new_full((size,), -1)
        self._sentence_of[cells] = tokens.sentences
        self._cells = self.pad(cells)
        self._indices: dict[tuple[str, int, int], Tensor] = {}

    def pad(self, column: Tensor) -> Tensor:
        """[words] filled up with zeros to [rows]."""
        return torch.cat([column, column.new_zeros(self.rows - self.words)])

    def spread(self, rows: Tensor, parts: int, heads: int) -> Tensor:
        """[rows, parts · d] as [parts, cells · heads, d / heads]; padding gets what the first row behind holds."""
        indices = self._cached_indices("spread", parts, heads)
        return rows.reshape(self.rows * parts * heads, -1).index_select(0, indices).unflatten(0, (parts, -1))

    def gather(self, cells: Tensor, heads: int) -> Tensor:
        """[parts, cells · heads, d / heads] as [rows, parts · d]; rows behind the words repeat the first cell."""
        indices = self._cached_indices("gather", len(cells), heads)
        return cells.flatten(0, 1).index_select(0, indices).view(self.rows, -1)

    def by_block(self, cells: Tensor, heads: int) -> list[Tensor]:
        """[cells · heads, d / heads] as views [rows, heads, width, d / heads], one of every block."""
        sizes = [rows * heads * width for rows, width in self.blocks]
        parts = zip(cells.split(sizes), self.blocks, strict=True)
        return [part.view(rows, heads, width, -1) for part, (rows, width) in parts]

    def attention_biases(self, keys: Packing, dtype: torch.dtype, causal: bool = False) -> list[Tensor]:
        """What keeps sentences apart in attention over `keys`: for every block [rows, 1, width, width].

        Zero where query and key are of one sentence (and, if causal, the key is no later), else the most negative
        number. A query that finds no key is padding: all its keys are equally unlikely.
        """
        pairs = zip(self._blocks_of(self._sentence_of), self._blocks_of(keys._sentence_of), strict=True)
        biases = []
        for own, other in pairs:
            allowed = own[:, :, None] == other[:, None, :]
            if causal:
                allowed = allowed.tril_()
            bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
            biases.append(bias.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None])
        return biases

    def _blocks_of(self, column: Tensor) -> list[Tensor]:
        """[cells] as [rows, width], one of every block."""
        return [block[:, 0, :, 0] for block in self.by_block(column[:, None], 1)]

    def _cached_indices(self, direction: str, parts: int, heads: int) -> Tensor:
        """Places that are asked for by every layer, made once."""
        key = direction, parts, heads
        if key not in self._indices:
            make = self._spread_indices if direction == "spread" else self._gather_indices
            self._indices[key] = make(parts, heads).flatten()
        return self._indices[key]

    def _count(self, number: int) -> Tensor:
        return torch.arange(number, device=self._cells.device)

    def _spread_indices(self, parts: int, heads: int) -> Tensor:
        """[parts, cells · heads] into [rows, parts, heads]."""
        head = self._count(heads)[:, None]
        blocks = self._blocks_of(self._row_of * parts * heads)
        first = torch.cat([(block[:, None] + head).flatten() for block in blocks])
        return first + self._count(parts)[:, None] * heads

    def _gather_indices(self, parts: int, heads: int) -> Tensor:
        """[rows, parts, heads] into [parts, cells · heads]."""
        index = torch.arange(len(self._row_of) * heads, device=self._cells.device)
        by_cell = torch.cat([b.transpose(1, 2).flatten(0, 1) for b in self.by_block(index[:, None], heads)])[..., 0]
        return by_cell[self._cells][:, None] + self._count(parts)[:, None] * len(index)
