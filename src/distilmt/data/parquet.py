"""Pairs in Parquet files: written and read in batches, sampled by row."""

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
from distilmt.data.deduplication import DropReasons, Rows
from distilmt.data.pairs import Pair
from distilmt.utils.errors import UserError

SCHEMA = pa.schema([("id", pa.string()), ("source", pa.string()), ("target", pa.string())])
BATCH = 8192
_MAX_SHARE = 10
_SPARE = 4

Flags = npt.NDArray[np.bool_]


class CorpusRow(NamedTuple):
    """A row of a corpus: the target is null if the teacher must translate it."""

    id: str
    source: str
    target: str | None


SplitRows = dict[str, dict[int, CorpusRow]]
"""Row by row number, per split."""


def write_pairs(path: Path, split: str, pairs: Iterable[Pair]) -> None:
    """Write pairs as rows whose ids name the split and the line of the input."""
    write_rows(path, (CorpusRow(f"{split}-{pair.line:06d}", pair.source, pair.target) for pair in pairs))


def write_rows(path: Path, rows: Iterable[CorpusRow]) -> None:
    """Write rows in batches."""
    row_iterator = iter(rows)
    with pq.ParquetWriter(path, SCHEMA) as file:
        while batch := list(islice(row_iterator, BATCH)):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            file.write_batch(pa.record_batch(columns, schema=SCHEMA))


def iter_selected_rows(path: Path, flags: Flags, size: int) -> Iterator[pa.Table]:
    """The rows whose flag is set, in order, as tables of `size` rows; the last may have fewer."""
    start, pending = 0, SCHEMA.empty_table()
    for batch in batches(path):
        matches = batch.filter(pa.array(flags[start : start + len(batch)]))
        start += len(batch)
        pending = pa.concat_tables([pending, pa.Table.from_batches([matches], SCHEMA)])
        while pending.num_rows >= size:
            yield pending.slice(0, size)
            pending = pending.slice(size)
    if pending.num_rows:
        yield pending


def sample_splits(
    path: Path, within: range, drop_reasons: DropReasons, sizes: Mapping[str, int], random: np.random.Generator
) -> SplitRows:
    """Sample splits at random from some of a file's rows: no source twice, at most a tenth of these rows per split.

    Args:
        path: a file of rows.
        within: numbers of the rows to sample from.
        drop_reasons: a number per row of the file; only rows with 0 are sampled.
        sizes: maximum rows by split.
        random: random state of the sampling.

    Returns:
        Row by row number (from 0) per split, in the order of the file.

    Raises:
        UserError: the file is too short to split.
    """
    total = len(within) - int(np.count_nonzero(drop_reasons[within.start : within.stop]))
    sizes = {split: min(size, max(1, total // _MAX_SHARE)) for split, size in sizes.items() if size > 0}
    if sizes and total < _MAX_SHARE:
        raise UserError(
            f"only {total} clean pairs: too few to split {' and '.join(sizes)} off, so name files with"
            f" {' and '.join(f'corpus.{split}' for split in sizes)}, or more text to train on"
        )
    ranks = random.choice(total, min(total, _SPARE * sum(sizes.values())), replace=False)
    rows_by_rank = _rows_by_rank(path, within, drop_reasons, ranks)
    split_rows: SplitRows = {}
    candidates, seen = iter(ranks.tolist()), set[int]()
    for split, size in sizes.items():
        rows_by_number: dict[int, CorpusRow] = {}
        while len(rows_by_number) < size and (rank := next(candidates, None)) is not None:
            number, row = rows_by_rank[rank]
            if (source_hash := hash64(key(row.source))) not in seen:
                seen.add(source_hash)
                rows_by_number[number] = row
        split_rows[split] = dict(sorted(rows_by_number.items()))
    return split_rows


def _rows_by_rank(
    path: Path, within: range, drop_reasons: DropReasons, ranks: Rows
) -> dict[int, tuple[int, CorpusRow]]:
    """Number and row of the candidates with the given `ranks` (from 0) among the rows to sample from."""
    rows_by_rank: dict[int, tuple[int, CorpusRow]] = {}
    ranks = np.sort(ranks)
    start = before = 0
    for batch in batches(path):
        numbers = np.arange(start, start + len(batch))
        available = numbers[
            (drop_reasons[start : start + len(batch)] == 0) & (numbers >= within.start) & (numbers < within.stop)
        ]
        batch_ranks = ranks[np.searchsorted(ranks, before) : np.searchsorted(ranks, before + len(available))]
        numbers = available[batch_ranks - before]
        rows = batch.take(pa.array(numbers - start)) if len(batch_ranks) else batch.slice(0, 0)
        columns = [column.to_pylist() for column in rows.columns]
        sampled_rows = map(CorpusRow._make, zip(*columns, strict=True))
        rows_by_rank.update(zip(batch_ranks.tolist(), zip(numbers.tolist(), sampled_rows, strict=True), strict=True))
        start, before = start + len(batch), before + len(available)
    return rows_by_rank


class StreamingSampler:
    """Uniform sampling without replacement from items that arrive in blocks."""

    def __init__(self, total: int, sample_size: int, random: np.random.Generator) -> None:
        """Prepare to sample `sample_size` of `total` items."""
        self._left, self._sample_left, self._random = total, min(total, sample_size), random

    def draw(self, count: int) -> Flags:
        """Which of the next `count` items are sampled."""
        flags = np.full(count, self._sample_left == self._left)
        if 0 < self._sample_left < self._left:
            sample_count = int(self._random.hypergeometric(self._sample_left, self._left - self._sample_left, count))
            flags[self._random.choice(count, sample_count, replace=False)] = True
        self._left, self._sample_left = self._left - count, self._sample_left - int(flags.sum())
        return flags


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Read a file of rows in batches."""
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else all data read so far stays in memory
        yield from file.iter_batches(batch_size=BATCH)
