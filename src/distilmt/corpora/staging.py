"""Pairs in Parquet files: written and read in batches, drawn from by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

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


def write_pairs(path: Path, split: str, pairs: Iterable[Pair]) -> None:
    """Write pairs as rows whose ids name the split and the line of the input."""
    rest = iter(pairs)
    with pq.ParquetWriter(path, SCHEMA) as file:
        while batch := list(islice(rest, BATCH)):
            ids = [f"{split}-{pair.line:06d}" for pair in batch]
            columns = [ids, [pair.source for pair in batch], [pair.target for pair in batch]]
            file.write_batch(pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=SCHEMA))


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs `write_pairs` wrote, in order."""
    for batch in _batches(path):
        for name, source, target in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Pair(int(name.rsplit("-", 1)[1]), source, target)


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


def draw(path: Path, sizes: Mapping[str, int], random: np.random.Generator) -> dict[str, dict[int, Pair]]:
    """Draw splits at random from a file's rows: no source twice, at most a tenth of all rows for each.

    Args:
        path: a file of pairs.
        sizes: split to the most pairs it may have.
        random: what the draw depends on.

    Returns:
        Per split, row number (from 0) to pair, in the order of the file.

    Raises:
        UserError: the file is too short to give anything away.
    """
    total = pq.read_metadata(path).num_rows
    sizes = {split: min(size, max(1, total // _MAX_SHARE)) for split, size in sizes.items() if size > 0}
    if sizes and total < _MAX_SHARE:
        raise UserError(
            f"only {total} clean pairs: too few to split {' and '.join(sizes)} off, so name files with"
            f" {' and '.join(f'corpus.{split}' for split in sizes)}, or more text to train on"
        )
    rows = random.choice(total, min(total, _SPARE * sum(sizes.values())), replace=False)
    found = _take(path, rows)
    drawn: dict[str, dict[int, Pair]] = {}
    candidates, seen = iter(rows.tolist()), set[int]()
    for split, size in sizes.items():
        chosen: dict[int, Pair] = {}
        while len(chosen) < size and (row := next(candidates, None)) is not None:
            if (mark := hash64(key(found[row].source))) not in seen:
                seen.add(mark)
                chosen[row] = found[row]
        drawn[split] = dict(sorted(chosen.items()))
    return drawn


def _take(path: Path, rows: npt.NDArray[np.int64]) -> dict[int, Pair]:
    wanted = set(rows.tolist())
    return {row: pair for row, pair in enumerate(read_pairs(path)) if row in wanted}


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:  # buffering ahead, pyarrow would keep the whole file
        yield from file.iter_batches(batch_size=BATCH)
