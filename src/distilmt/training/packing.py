"""Where the words of padded sequences stand when they lie one behind the other, without padding.

Only attention needs sequences as rows of equal length. Everything else in a transformer works on words one by one, and
would be computed for padding for nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MULTIPLE = 128


class Packing:
    """Maps the cells of padded sequences [B, T] to rows and back.

    There are more rows than words: the next multiple of 128, because kernels for matrix products are made anew for
    every shape. Rows behind the words hold anything finite, reach no word, and get no gradient.
    """

    def __init__(self, cells: Tensor, shape: torch.Size) -> None:
        """Lay out a batch.

        Args:
            cells: [words] int64, places of the words in the flattened sequences, ascending.
            shape: B and T.
        """
        self.batch, self.length = shape
        self.words = len(cells)
        self.rows = (self.words // _MULTIPLE + 1) * _MULTIPLE
        self.cells = torch.cat([cells, cells.new_zeros(self.rows - self.words)])
        # Padding takes the first row that is no word.
        self._row_of = cells.new_full((self.batch * self.length,), self.words)
        self._row_of[cells] = torch.arange(self.words, device=cells.device)
        self._places: dict[tuple[str, int, int], Tensor] = {}

    def pack(self, padded: Tensor) -> Tensor:
        """[B, T] as [rows]."""
        return padded.flatten().index_select(0, self.cells)

    def positions(self) -> Tensor:
        """Every row's place in its sequence, [rows]."""
        return self.cells % self.length

    def spread(self, rows: Tensor, parts: int, heads: int) -> Tensor:
        """[rows, parts · d] as [parts, B, heads, T, d / heads]; padding gets what the first row behind holds."""
        places = self._kept("spread", parts, heads)
        split = rows.reshape(self.rows * parts * heads, -1).index_select(0, places)
        return split.view(parts, self.batch, heads, self.length, -1)

    def gather(self, padded: Tensor) -> Tensor:
        """[parts, B, heads, T, d / heads] as [rows, parts · d]; rows behind the words repeat the first cell."""
        places = self._kept("gather", padded.shape[0], padded.shape[2])
        return padded.flatten(0, 3).index_select(0, places).view(self.rows, -1)

    def _kept(self, way: str, parts: int, heads: int) -> Tensor:
        """Places that are asked for by every layer, made once."""
        key = way, parts, heads
        if key not in self._places:
            make = self._spread_places if way == "spread" else self._gather_places
            self._places[key] = make(parts, heads).flatten()
        return self._places[key]

    def _count(self, number: int) -> Tensor:
        return torch.arange(number, device=self.cells.device)

    def _spread_places(self, parts: int, heads: int) -> Tensor:
        """[parts, B, heads, T] into [rows, parts, heads]."""
        row = self._row_of.view(1, self.batch, 1, self.length)
        return (row * parts + self._count(parts)[:, None, None, None]) * heads + self._count(heads)[:, None]

    def _gather_places(self, parts: int, heads: int) -> Tensor:
        """[rows, parts, heads] into [parts, B, heads, T]."""
        sequence, position = (self.cells // self.length)[:, None, None], self.positions()[:, None, None]
        part, head = self._count(parts)[:, None], self._count(heads)
        return ((part * self.batch + sequence) * heads + head) * self.length + position
