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

from distilmt.corpora.cleaning import hash64, key
from distilmt.corpora.readers import Pair
from distilmt.errors import UserError

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
    for batch in _batches(path):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Row(*row)


def copy_rows(path: Path, flags: Flags, destination: Path) -> None:
    """Write the rows whose flag is set to another file."""
    start = 0
    with pq.ParquetWriter(destination, SCHEMA) as file:
        for batch in _batches(path):
            file.write_batch(batch.filter(pa.array(flags[start : start + len(batch)])))
            start += len(batch)


def chosen(path: Path, flags: Flags, size: int) -> Iterator[pa.Table]:
    """The rows whose flag is set, in order, as tables of `size` rows; the last may have fewer."""
    start, waiting = 0, SCHEMA.empty_table()
    for batch in _batches(path):
        found = batch.filter(pa.array(flags[start : start + len(batch)]))
        start += len(batch)
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([found], SCHEMA)])
        while waiting.num_rows >= size:
            yield waiting.slice(0, size)
            waiting = waiting.slice(size)
    if waiting.num_rows:
        yield waiting


def draw(path: Path, within: range, sizes: Mapping[str, int], random: np.random.Generator) -> Drawn:
    """Draw splits at random from some of a file's rows: no source twice, at most a tenth of these rows for each.

    Args:
        path: a file of rows.
        within: numbers of the rows that may be drawn.
        sizes: split to the most rows it may have.
        random: what the draw depends on.

    Returns:
        Per split, row number (from 0) to row, in the order of the file.

    Raises:
        UserError: the file is too short to give anything away.
    """
    total = len(within)
    sizes = {split: min(size, max(1, total // _MAX_SHARE)) for split, size in sizes.items() if size > 0}
    if sizes and total < _MAX_SHARE:
        raise UserError(
            f"only {total} clean pairs: too few to split {' and '.join(sizes)} off, so name files with"
            f" {' and '.join(f'corpus.{split}' for split in sizes)}, or more text to train on"
        )
    rows = random.choice(total, min(total, _SPARE * sum(sizes.values())), replace=False) + within.start
    found = _take(path, rows)
    drawn: Drawn = {}
    candidates, seen = iter(rows.tolist()), set[int]()
    for split, size in sizes.items():
        chosen: dict[int, Row] = {}
        while len(chosen) < size and (row := next(candidates, None)) is not None:
            if (mark := hash64(key(found[row].source))) not in seen:
                seen.add(mark)
                chosen[row] = found[row]
        drawn[split] = dict(sorted(chosen.items()))
    return drawn


def _take(path: Path, rows: npt.NDArray[np.int64]) -> dict[int, Row]:
    wanted = set(rows.tolist())
    return {number: row for number, row in enumerate(read_rows(path)) if number in wanted}


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BATCH)
