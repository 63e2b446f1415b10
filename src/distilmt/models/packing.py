"""Layout of a batch's tokens: a flat sequence for most of a transformer, short rows of cells for attention.

Only attention needs sentences as rows of a matrix. All other layers work token by token, and padding would be wasted
work. In attention several short sentences share a row to reduce padding; a mask separates them. Batches of mixed
lengths are then as fast as batches of one length, which learn less per update.
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
    """Positions of a batch's sentences in blocks of rows; a source and its target are in the same row."""

    blocks: list[BlockShape]
    """In ascending width. Cells are numbered across all blocks, row by row."""
    source: np.ndarray
    """[B]: the first cell of each source sentence."""
    target: np.ndarray
    """[B]: the first cell of each target sentence."""


def fill_bins(source: np.ndarray, target: np.ndarray) -> Bins:
    """Pack sentences of these lengths, [B] each, into rows: longest first, each into the fullest row that it fits.

    Widths are 32 · 2^n and the number of rows is a multiple of 4, so that shapes repeat: kernels for matrix products
    are generated at the first use of a shape, which takes longer than the product.
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
    """One side of a batch: the tokens of its sentences, concatenated; [N] each."""

    ids: Tensor
    positions: Tensor
    """Index of each token in its sentence."""
    sentences: Tensor
    """Index of each token's sentence."""
    cells: Tensor
    """Index of each token's cell in the blocks."""

    @classmethod
    def of(cls, flat: np.ndarray, lengths: np.ndarray, begins: np.ndarray) -> PackedTokens:
        """Tokens `flat` [N] of sentences with these lengths [B] and first cells [B]."""
        positions = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sentences = np.repeat(np.arange(len(lengths)), lengths)
        return cls(*map(torch.from_numpy, (flat, positions, sentences, positions + begins[sentences])))

    def padded(self, column: Tensor) -> Tensor:
        """A column [N] as one row for each sentence, for architectures without packing: [B, T], 0 after its end.

        Vectors [N, d] become [B, T, d].
        """
        rows = column.new_zeros(int(self.sentences[-1]) + 1, int(self.positions.max()) + 1, *column.shape[1:])
        rows[self.sentences, self.positions] = column
        return rows

    def mask(self) -> Tensor:
        """Where `padded` has tokens, as a mask of attention to them: [B, 1, 1, T] bool."""
        return self.padded(torch.ones_like(self.ids, dtype=torch.bool))[:, None, None]

    def flat(self, rows: Tensor) -> Tensor:
        """The inverse of `padded` for vectors: [B, T, d] -> [N, d]."""
        return rows[self.sentences, self.positions]

    def to(self, device: torch.device) -> PackedTokens:
        """These tokens on `device`."""
        return PackedTokens(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


class Packing:
    """Maps the cells of one side of a batch to rows of vectors, one row per token, and back.

    The number of rows is the next multiple of 128 above the number of tokens, because kernels for matrix products are
    generated for every new shape. The padding rows hold any finite values, affect no token, and get no gradient.

    Vectors by cell have the shape [cells · heads, d / heads]: the blocks one after the other, each of them
    [rows, heads, width, d / heads].
    """

    def __init__(self, tokens: PackedTokens, blocks: list[BlockShape]) -> None:
        """Compute the layout of one side of a batch."""
        cells = tokens.cells  # [N]
        self.blocks, self.tokens = blocks, len(cells)
        self.rows = (self.tokens // _MULTIPLE + 1) * _MULTIPLE
        self.positions = self.pad(tokens.positions)
        size = sum(rows * width for rows, width in blocks)
        # Padding cells map to the first padding row, and to sentence -1.
        self._row_of = cells.new_full((size,), self.tokens)  # [cells]
        self._row_of[cells] = torch.arange(self.tokens, device=cells.device)
        self._sentence_of = cells.new_full((size,), -1)
        self._sentence_of[cells] = tokens.sentences
        self._cells = self.pad(cells)
        self._indices: dict[tuple[str, int, int], Tensor] = {}

    def pad(self, column: Tensor) -> Tensor:
        """A column [tokens] padded with zeros to [rows]."""
        return torch.cat([column, column.new_zeros(self.rows - self.tokens)])

    def spread(self, rows: Tensor, parts: int, heads: int) -> Tensor:
        """[rows, parts · d] -> [parts, cells · heads, d / heads]; padding cells get the first padding row."""
        indices = self._cached_indices("spread", parts, heads)
        # [rows, parts · d] -> [rows · parts · heads, d / heads] -> [parts · cells · heads, d / heads]
        return rows.reshape(self.rows * parts * heads, -1).index_select(0, indices).unflatten(0, (parts, -1))

    def gather(self, cells: Tensor, heads: int) -> Tensor:
        """[parts, cells · heads, d / heads] -> [rows, parts · d]; padding rows repeat the first cell."""
        indices = self._cached_indices("gather", len(cells), heads)
        # [parts · cells · heads, d / heads] -> [rows · parts · heads, d / heads] -> [rows, parts · d]
        return cells.flatten(0, 1).index_select(0, indices).view(self.rows, -1)

    def by_block(self, cells: Tensor, heads: int) -> list[Tensor]:
        """[cells · heads, d / heads] -> views [rows, heads, width, d / heads], one per block."""
        sizes = [rows * heads * width for rows, width in self.blocks]
        parts = zip(cells.split(sizes), self.blocks, strict=True)
        return [part.view(rows, heads, width, -1) for part, (rows, width) in parts]

    def attention_biases(self, keys: Packing, dtype: torch.dtype, causal: bool = False) -> list[Tensor]:
        """Mask that separates sentences in attention over `keys`: for every block [rows, 1, width, width].

        Zero where query and key are in the same sentence (and, if causal, the key is not later), else the most negative
        number. A query without any key is padding: all its keys get the same weight.
        """
        pairs = zip(self._blocks_of(self._sentence_of), self._blocks_of(keys._sentence_of), strict=True)
        biases = []
        for own, other in pairs:
            allowed = own[:, :, None] == other[:, None, :]  # [rows, width, width]
            if causal:
                allowed = allowed.tril_()
            bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
            biases.append(bias.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None])
        return biases

    def _blocks_of(self, column: Tensor) -> list[Tensor]:
        """[cells] -> [rows, width], one per block."""
        return [block[:, 0, :, 0] for block in self.by_block(column[:, None], 1)]

    def _cached_indices(self, direction: str, parts: int, heads: int) -> Tensor:
        """Indices that every layer uses, computed once per direction and number of parts and heads."""
        key = direction, parts, heads
        if key not in self._indices:
            make = self._spread_indices if direction == "spread" else self._gather_indices
            self._indices[key] = make(parts, heads).flatten()
        return self._indices[key]

    def _count(self, number: int) -> Tensor:
        return torch.arange(number, device=self._cells.device)

    def _spread_indices(self, parts: int, heads: int) -> Tensor:
        """Indices [parts, cells · heads] into the flattened [rows, parts, heads]."""
        head = self._count(heads)[:, None]
        blocks = self._blocks_of(self._row_of * parts * heads)
        first = torch.cat([(block[:, None] + head).flatten() for block in blocks])
        return first + self._count(parts)[:, None] * heads

    def _gather_indices(self, parts: int, heads: int) -> Tensor:
        """Indices [rows, parts, heads] into the flattened [parts, cells · heads]."""
        index = torch.arange(len(self._row_of) * heads, device=self._cells.device)  # [cells · heads]
        # For every block [rows, heads, width, 1] -> [rows · width, heads]; together [cells, heads].
        by_cell = torch.cat([b.transpose(1, 2).flatten(0, 1) for b in self.by_block(index[:, None], heads)])[..., 0]
        return by_cell[self._cells][:, None] + self._count(parts)[:, None] * len(index)
