"""Mix clean rows into the training text: drop duplicates and held-out rows, sample by the sources' weights."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import CleaningConfig
from distilmt.config.registers import RegisterTargets
from distilmt.data import deduplication, parquet
from distilmt.data.cleaning import EXAMPLE_CHARS, EXAMPLES
from distilmt.data.deduplication import DropReasons
from distilmt.data.pairs import Pair
from distilmt.data.registers import Codes, RowRegisters, row_totals
from distilmt.data.sources import CorpusSource


class DropReason(IntEnum):
    """Drop reason of a row; the names are those in `cleaning.json`."""

    not_dropped = 0
    in_test = 1
    duplicate = 2
    not_best = 3
    split_off = 4
    not_drawn = 5


def drop_reasons(
    hashes: Path, sources: list[CorpusSource], held_out: deduplication.HeldOut, config: CleaningConfig
) -> DropReasons:
    """Drop reasons of the rows by their hashes; monolingual text comes after all pairs."""
    reasons = np.zeros(sources[-1].rows.stop, np.uint8)
    pairs = range(next((o.rows.start for o in sources if o.monolingual), len(reasons)))
    if config.drop_duplicates:
        for rows in held_out.rows(hashes):
            reasons[rows] = DropReason.in_test
        for rows in deduplication.duplicate_rows(hashes, "pair", pairs, reasons):
            reasons[rows] = DropReason.duplicate
        if len(pairs) < len(reasons):
            for rows in deduplication.duplicate_rows(hashes, "text", range(len(reasons))):
                rows = rows[rows >= len(pairs)]
                reasons[rows[reasons[rows] == 0]] = DropReason.duplicate
    if config.keep_best:
        for rows in deduplication.duplicate_rows(hashes, "target", pairs, reasons):
            reasons[rows] = DropReason.not_best
    return reasons


def split_candidates(sources: list[CorpusSource]) -> range:
    """The rows from which valid and test are sampled: those of the first source, else all pairs, else all sentences."""
    if sources[0].name == "train":
        return sources[0].rows
    rows = [source.rows for source in sources if not source.monolingual] or [source.rows for source in sources]
    return range(rows[0].start, rows[-1].stop)


def hold_out(
    hashes: Path,
    reasons: DropReasons,
    split_rows: parquet.SplitRows,
    held_out: deduplication.HeldOut,
    config: CleaningConfig,
) -> None:
    """Mark the rows sampled for valid and test, and the rows that share a side with them."""
    for rows in split_rows.values():
        reasons[list(rows)] = DropReason.split_off
        held_out.add(row[1:] for row in rows.values())
    if split_rows and config.drop_duplicates:
        for leaks in held_out.rows(hashes):
            reasons[leaks[reasons[leaks] == 0]] = DropReason.in_test


class HeldOutOverlap(TypedDict):
    """Training rows that share a side with valid or test: those that were dropped, and those that are trained on."""

    dropped: int
    remaining: int


def held_out_overlap(hashes: Path, reasons: DropReasons, held_out: deduplication.HeldOut) -> HeldOutOverlap:
    """Count the overlap of the training text with valid and test."""
    remaining = sum(int(np.count_nonzero(reasons[rows] == 0)) for rows in held_out.rows(hashes))
    return HeldOutOverlap(dropped=int(np.count_nonzero(reasons == DropReason.in_test)), remaining=remaining)


def write_train(
    rows: Path,
    reasons: DropReasons,
    sources: list[CorpusSource],
    max_rows: int | None,
    random: np.random.Generator,
    path: Path,
    registers: RowRegisters,
    targets: RegisterTargets,
) -> None:
    """Write the remaining rows as often as weights of sources and targets say, and count the others in the reports.

    Args:
        rows: file with all clean rows.
        reasons: drop reason of each row.
        sources: sources of the rows.
        max_rows: maximum rows to write, sampled at random.
        random: random state of the sampling.
        path: output file.
        registers: registers of the rows; counts those that are written.
        targets: rows by register.

    Raises:
        UserError: a target cannot be met.
    """
    totals = _totals_by_register(sources, reasons, registers, targets) if targets else None
    samplers = [
        _SourceSampler(source, reasons, random, registers, None if totals is None else totals[number])
        for number, source in enumerate(sources)
    ]
    total = sum(source_sampler.total for source_sampler in samplers)
    sampler = parquet.StreamingSampler(total, total if max_rows is None else max_rows, random)
    start = 0
    with pq.ParquetWriter(path, parquet.SCHEMA) as file:
        for batch in parquet.batches(rows):
            for source_sampler in samplers:
                inside = source_sampler.inside(start, len(batch))
                if len(inside):
                    part, rows_ = batch.slice(inside.start - start, len(inside)), slice(inside.start, inside.stop)
                    file.write_batch(source_sampler.take(part, reasons[rows_], sampler, registers.codes[rows_]))
            start += len(batch)


def _totals_by_register(
    sources: list[CorpusSource], reasons: DropReasons, registers: RowRegisters, targets: RegisterTargets
) -> list[npt.NDArray[np.int64]]:
    """By source: rows to write of each register, by its code."""
    counts = [
        np.bincount(registers.codes[rows.start : rows.stop][reasons[rows.start : rows.stop] == 0], minlength=1)
        for rows in (source.rows for source in sources)
    ]
    size = len(registers.names) + 1
    available = [
        np.pad(count, (0, size - len(count))) * source.weight for count, source in zip(counts, sources, strict=True)
    ]
    return row_totals(available, registers.names, targets)


class _RowGroup:
    """Rows that are repeated equally often: each `always` times, and some of them once more."""

    def __init__(self, size: int, always: int, sometimes: int, random: np.random.Generator) -> None:
        self.total = size * always + sometimes
        self._always, self._sampler = always, parquet.StreamingSampler(size, sometimes, random)

    def copies(self, count: int) -> npt.NDArray[np.int64]:
        """How often each of the next rows is written."""
        return self._always + self._sampler.draw(count).astype(np.int64)


class _SourceSampler:
    """Sampling of the rows of one source."""

    def __init__(
        self,
        source: CorpusSource,
        reasons: DropReasons,
        random: np.random.Generator,
        registers: RowRegisters,
        totals: npt.NDArray[np.int64] | None,
    ) -> None:
        self._rows, self._report, self._registers = source.rows, source.report, registers
        remaining = reasons[source.rows.start : source.rows.stop] == 0
        if totals is None:
            size, always = int(np.count_nonzero(remaining)), int(source.weight)
            self._groups = {-1: _RowGroup(size, always, round(size * (source.weight - always)), random)}
        else:
            codes = registers.codes[source.rows.start : source.rows.stop][remaining]
            sizes = np.bincount(codes, minlength=len(totals)).tolist()
            self._groups = {
                code: _RowGroup(size, int(totals[code]) // size, int(totals[code]) % size, random)
                for code, size in enumerate(sizes)
                if size
            }
        self.total = sum(group.total for group in self._groups.values())

    def inside(self, start: int, length: int) -> range:
        """Which of the given rows are of this source."""
        return range(max(start, self._rows.start), min(start + length, self._rows.stop))

    def take(
        self, batch: pa.RecordBatch, reasons: DropReasons, sampler: parquet.StreamingSampler, codes: Codes
    ) -> pa.RecordBatch:
        """The next rows, repeated as often as sampled; the others are counted."""
        copies = np.zeros(len(batch), np.int64)
        stay = np.flatnonzero(reasons == 0)
        for code, group in self._groups.items():
            rows = stay if code < 0 else stay[codes[stay] == code]
            copies[rows] = group.copies(len(rows))
        numbers = np.repeat(np.arange(len(batch)), copies)[sampler.draw(int(copies.sum()))]
        reasons = reasons.copy()
        reasons[stay[~np.isin(stay, numbers)]] = DropReason.not_drawn
        self._count(batch, reasons)
        first = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
        self._report.repeated += int(np.count_nonzero(~first))
        self._registers.count(codes[numbers])
        return _with_copy_ids(batch.take(pa.array(numbers)), first)

    def _count(self, batch: pa.RecordBatch, reasons: DropReasons) -> None:
        counts = np.bincount(reasons, minlength=len(DropReason))
        for reason in DropReason:
            if reason and counts[reason]:
                self._report.count(reason.name, int(counts[reason]))
                examples = self._report.examples.setdefault(reason.name, [])
                positions = np.flatnonzero(reasons == reason)[: EXAMPLES - len(examples)]
                if reason is not DropReason.not_drawn and len(positions):
                    examples += _pairs(batch.take(pa.array(positions)))


def _pairs(batch: pa.RecordBatch) -> list[Pair]:
    columns = (column.to_pylist() for column in batch.columns)
    return [
        Pair(int(name.rsplit("-", 1)[1].partition("s")[0]), source[:EXAMPLE_CHARS], (target or "")[:EXAMPLE_CHARS])
        for name, source, target in zip(*columns, strict=True)
    ]


def _with_copy_ids(batch: pa.RecordBatch, first: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Rows with unique ids for copies: the second copy of `x-000017` is `x-000017.2`."""
    if first.all():
        return batch
    ids, copy = batch.column(0).to_pylist(), 1
    for number, new in enumerate(first):
        copy = 1 if new else copy + 1
        ids[number] += f".{copy}" if copy > 1 else ""
    return batch.set_column(0, "id", pa.array(ids, pa.string()))
