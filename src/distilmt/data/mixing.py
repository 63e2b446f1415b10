"""What becomes of clean rows: dropped, held out, drawn, or taken more than once; and the training text made of them."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import CleaningConfig
from distilmt.data import deduplication, parquet
from distilmt.data.cleaning import EXAMPLE_CHARS, EXAMPLES
from distilmt.data.deduplication import Fates
from distilmt.data.pairs import Pair
from distilmt.data.sources import Origin


class Fate(IntEnum):
    """Of a row; the names are those of the reasons in `cleaning.json`."""

    stays = 0
    in_test = 1
    duplicate = 2
    not_best = 3
    split_off = 4
    not_drawn = 5


def fates(marks: Path, origins: list[Origin], held_out: deduplication.HeldOut, config: CleaningConfig) -> Fates:
    """What becomes of the rows by their marks; text of one language stands behind all pairs."""
    found = np.zeros(origins[-1].rows.stop, np.uint8)
    pairs = range(next((o.rows.start for o in origins if o.monolingual), len(found)))
    if config.drop_duplicates:
        for rows in held_out.rows(marks):
            found[rows] = Fate.in_test
        for rows in deduplication.later(marks, "pair", pairs, found):
            found[rows] = Fate.duplicate
        if len(pairs) < len(found):
            for rows in deduplication.later(marks, "text", range(len(found))):
                rows = rows[rows >= len(pairs)]
                found[rows[found[rows] == 0]] = Fate.duplicate
    if config.keep_best:
        for rows in deduplication.later(marks, "target", pairs, found):
            found[rows] = Fate.not_best
    return found


def drawn_from(origins: list[Origin]) -> range:
    """The rows valid and test are drawn from: the first origin's, without one all pairs, without any all sentences."""
    if origins[0].name == "train":
        return origins[0].rows
    rows = [origin.rows for origin in origins if not origin.monolingual] or [origin.rows for origin in origins]
    return range(rows[0].start, rows[-1].stop)


def split_off(
    marks: Path, found: Fates, drawn: parquet.Drawn, held_out: deduplication.HeldOut, config: CleaningConfig
) -> None:
    """Note which rows were drawn for valid and test, and which share a side with them."""
    for rows in drawn.values():
        found[list(rows)] = Fate.split_off
        held_out.add(row[1:] for row in rows.values())
    if drawn and config.drop_duplicates:
        for leaks in held_out.rows(marks):
            found[leaks[found[leaks] == 0]] = Fate.in_test


def write_train(
    rows: Path, found: Fates, origins: list[Origin], most: int | None, random: np.random.Generator, path: Path
) -> None:
    """Write the rows that stay as often as their origins' weights say, and count those that do not in its report.

    Args:
        rows: file of all clean rows.
        found: what becomes of each.
        origins: where they come from.
        most: rows that are written at most, drawn at random.
        random: what is drawn depends on.
        path: where to.
    """
    shares = [_Share(origin, found, random) for origin in origins]
    total = sum(share.total for share in shares)
    lots = parquet.Lots(total, total if most is None else most, random)
    start = 0
    with pq.ParquetWriter(path, parquet.SCHEMA) as file:
        for batch in parquet.batches(rows):
            for share in shares:
                inside = share.inside(start, len(batch))
                if len(inside):
                    part = batch.slice(inside.start - start, len(inside))
                    file.write_batch(share.take(part, found[inside.start : inside.stop], lots))
            start += len(batch)


class _Share:
    """What is taken of one origin's rows."""

    def __init__(self, origin: Origin, found: Fates, random: np.random.Generator) -> None:
        self._rows, self._report = origin.rows, origin.report
        stay = int(np.count_nonzero(found[origin.rows.start : origin.rows.stop] == 0))
        self._always = int(origin.weight)
        sometimes = round(stay * (origin.weight - self._always))
        self.total = stay * self._always + sometimes
        self._lots = parquet.Lots(stay, sometimes, random)

    def inside(self, start: int, length: int) -> range:
        """Which of some rows are of this origin."""
        return range(max(start, self._rows.start), min(start + length, self._rows.stop))

    def take(self, batch: pa.RecordBatch, found: Fates, lots: parquet.Lots) -> pa.RecordBatch:
        """The next rows as often as they are taken; the others are counted."""
        copies = np.zeros(len(batch), np.int64)
        stay = np.flatnonzero(found == 0)
        copies[stay] = self._always + self._lots.draw(len(stay))
        numbers = np.repeat(np.arange(len(batch)), copies)[lots.draw(int(copies.sum()))]
        found = found.copy()
        found[stay[~np.isin(stay, numbers)]] = Fate.not_drawn
        self._count(batch, found)
        first = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
        self._report.repeated += int(np.count_nonzero(~first))
        return _numbered(batch.take(pa.array(numbers)), first)

    def _count(self, batch: pa.RecordBatch, found: Fates) -> None:
        counts = np.bincount(found, minlength=len(Fate))
        for fate in Fate:
            if fate and counts[fate]:
                self._report.count(fate.name, int(counts[fate]))
                examples = self._report.examples.setdefault(fate.name, [])
                wanted = np.flatnonzero(found == fate)[: EXAMPLES - len(examples)]
                if fate is not Fate.not_drawn and len(wanted):
                    examples += _pairs(batch.take(pa.array(wanted)))


def _pairs(batch: pa.RecordBatch) -> list[Pair]:
    columns = (column.to_pylist() for column in batch.columns)
    return [
        Pair(int(name.rsplit("-", 1)[1]), source[:EXAMPLE_CHARS], (target or "")[:EXAMPLE_CHARS])
        for name, source, target in zip(*columns, strict=True)
    ]


def _numbered(batch: pa.RecordBatch, first: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Rows whose copies have ids of their own: the second of `x-000017` is `x-000017.2`."""
    if first.all():
        return batch
    ids, copy = batch.column(0).to_pylist(), 1
    for number, new in enumerate(first):
        copy = 1 if new else copy + 1
        ids[number] += f".{copy}" if copy > 1 else ""
    return batch.set_column(0, "id", pa.array(ids, pa.string()))
