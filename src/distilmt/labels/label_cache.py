"""Labels that were made before: what the teacher said of a sentence once is not asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.labels.rows import Shard, file_of
from distilmt.labels.store import MANIFEST, LabelStore
from distilmt.utils.run_dir import read_json


class Kept:
    """Rows of finished stores that were made by the same teacher in the same way."""

    def __init__(self, directories: Sequence[Path], header: Mapping[str, Any], k: int) -> None:
        """Read what fits.

        Args:
            directories: stores; those that are missing, unfinished or made in another way are passed over.
            header: what the labels depend on, as the store that is to be written has it.
            k: log-probabilities per position.

        Raises:
            UserError: a shard is missing or damaged.
        """
        wanted = {**header, "k": k, "complete": True}
        tables = [table for path in directories if _fits(path, wanted) for table in LabelStore(path).shards()]
        self.table = pa.concat_tables(tables) if tables else None
        self.places: dict[tuple[str, str, str | None], int] = {}
        for place, sentence in enumerate(_sentences(self.table, "reference") if self.table else ()):
            self.places.setdefault(sentence, place)

    def known(self, sentences: pa.Table) -> np.ndarray:
        """Which of some sentences are there: [n] bool. Columns id, source and target (the reference)."""
        return np.array([sentence in self.places for sentence in _sentences(sentences, "target")], dtype=bool)

    def completed(self, sentences: pa.Table, asked: Shard | None) -> Shard:
        """The shard of all of some sentences, of what is kept and of those that were asked."""
        if asked is not None and asked.rows == sentences.num_rows:
            return asked
        assert self.table is not None
        rows = self.table.slice(0, 0) if asked is None else pq.read_table(pa.BufferReader(asked.content))
        return file_of(self.whole(sentences, rows))

    def whole(self, sentences: pa.Table, asked: pa.Table) -> pa.Table:
        """A shard of all of some sentences, in their order, of what is kept and of those that were `asked`."""
        if self.table is None or asked.num_rows == sentences.num_rows:
            return asked
        known = self.known(sentences)
        places = [self.places[row] for row, there in zip(_sentences(sentences, "target"), known, strict=True) if there]
        found = pa.concat_tables([self.table.take(places), asked])
        return found.take(np.argsort(np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])))


def _fits(path: Path, wanted: Mapping[str, Any]) -> bool:
    if not (path / MANIFEST).exists():
        return False
    manifest = read_json(path / MANIFEST)
    return all(manifest.get(key) == value for key, value in wanted.items())


def _sentences(table: pa.Table, reference: str) -> Iterator[tuple[str, str, str | None]]:
    """Id, source and reference of every row: an id alone may stand for another text of another corpus."""
    return zip(*(table[name].to_pylist() for name in ("id", "source", reference)), strict=True)
