"""Pairs in Parquet files: written and read in batches, drawn from by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.data.cleaning import hash64, key
from distilmt.data.deduplication import Fates, Rows
from distilmt.data.pairs import Pair
from distilmt.utils.errors import UserError

SCHEMA = pa.schema([("id", pa.string()), ("source", pa.string()), ("target", pa.string())])
BATCH = 8192
_MAX_SHARE = 10
_SPARE = 4

Flags = npt.NDArray[np.bool_]


class Row(NamedTuple):
    """A row of a corpus: the target is null where the teacher has to say it."""

    id: str
    source: str
    target: str | None


Drawn = dict[str, dict[int, Row]]
"""Per split, row number to row."""


def write_pairs(path: Path, split: str, pairs: Iterable[Pair]) -> None:
    """Write pairs as rows whose ids name the split and the line of the input."""
    write_rows(path, (Row(f"{split}-{pair.line:06d}", pair.source, pair.target) for pair in pairs))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows in batches, as they come."""
    rest = iter(rows)
    with pq.ParquetWriter(path, SCHEMA) as file:
        while batch := list(islice(rest, BATCH)):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            file.write_batch(pa.record_batch(columns, schema=SCHEMA))


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in order."""
    for batch in batches(path):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Row(*row)


def chosen(path: Path, flags: Flags, size: int) -> Iterator[pa.Table]:
    """The rows whose flag is set, in order, as tables of `size` rows; the last may have fewer."""
    start, waiting = 0, SCHEMA.empty_table()
    for batch in batches(path):
        found = batch.filter(pa.array(flags[start : start + len(batch)]))
        start += len(batch)
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([found], SCHEMA)])
        while waiting.num_rows >= size:
            yield waiting.slice(0, size)
            waiting = waiting.slice(size)
    if waiting.num_rows:
        yield waiting


def draw(path: Path, within: range, fates: Fates, sizes: Mapping[str, int], random: np.random.Generator) -> Drawn:
    """Draw splits at random from some of a file's rows: no source twice, at most a tenth of these rows for each.

    Args:
        path: a file of rows.
        within: numbers of the rows that may be drawn.
        fates: a number per row of the file; only those where it is 0 may be drawn.
        sizes: split to the most rows it may have.
        random: what the draw depends on.

    Returns:
        Per split, row number (from 0) to row, in the order of the file.

    Raises:
        UserError: the file is too short to give anything away.
    """
    total = len(within) - int(np.count_nonzero(fates[within.start : within.stop]))
    sizes = {split: min(size, max(1, total // _MAX_SHARE)) for split, size in sizes.items() if size > 0}
    if sizes and total < _MAX_SHARE:
        raise UserError(
            f"only {total} clean pairs: too few to split {' and '.join(sizes)} off, so name files with"
            f" {' and '.join(f'corpus.{split}' for split in sizes)}, or more text to train on"
        )
    ranks = random.choice(total, min(total, _SPARE * sum(sizes.values())), replace=False)
    found = _take(path, within, fates, ranks)
    drawn: Drawn = {}
    candidates, seen = iter(ranks.tolist()), set[int]()
    for split, size in sizes.items():
        chosen: dict[int, Row] = {}
        while len(chosen) < size and (rank := next(candidates, None)) is not None:
            number, row = found[rank]
            if (mark := hash64(key(row.source))) not in seen:
                seen.add(mark)
                chosen[number] = row
        drawn[split] = dict(sorted(chosen.items()))
    return drawn


def _take(path: Path, within: range, fates: Fates, ranks: Rows) -> dict[int, tuple[int, Row]]:
    """Number and row of the first, second, … of the rows that may be drawn, as `ranks` (from 0) names them."""
    found: dict[int, tuple[int, Row]] = {}
    ranks = np.sort(ranks)
    start = before = 0
    for batch in batches(path):
        numbers = np.arange(start, start + len(batch))
        open_ = numbers[(fates[start : start + len(batch)] == 0) & (numbers >= within.start) & (numbers < within.stop)]
        here = ranks[np.searchsorted(ranks, before) : np.searchsorted(ranks, before + len(open_))]
        numbers = open_[here - before]
        rows = batch.take(pa.array(numbers - start)) if len(here) else batch.slice(0, 0)
        columns = [column.to_pylist() for column in rows.columns]
        taken = map(Row._make, zip(*columns, strict=True))
        found.update(zip(here.tolist(), zip(numbers.tolist(), taken, strict=True), strict=True))
        start, before = start + len(batch), before + len(open_)
    return found


class Lots:
    """Draws some of many things that come one block after the other, every choice of them equally likely."""

    def __init__(self, total: int, wanted: int, random: np.random.Generator) -> None:
        """Make ready to draw `wanted` of `total` things."""
        self._left, self._wanted, self._random = total, min(total, wanted), random

    def draw(self, count: int) -> Flags:
        """Which of the next `count` things are drawn."""
        flags = np.full(count, self._wanted == self._left)
        if 0 < self._wanted < self._left:
            here = int(self._random.hypergeometric(self._wanted, self._left - self._wanted, count))
            flags[self._random.choice(count, here, replace=False)] = True
        self._left, self._wanted = self._left - count, self._wanted - int(flags.sum())
        return flags


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """A file of rows, some at a time."""
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else all of the file that was read is kept
        yield from file.iter_batches(batch_size=BATCH)
