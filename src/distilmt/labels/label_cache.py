"""Reuse of existing labels, so that no sentence is labeled twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.labels.manifest import MANIFEST, read_manifest
from distilmt.labels.rows import Shard, file_of
from distilmt.labels.store import LabelStore
from distilmt.utils.json_types import JsonMapping


class LabelCache:
    """Rows of finished stores from the same teacher and settings."""

    def __init__(self, directories: Sequence[Path], header: JsonMapping, k: int) -> None:
        """Read the matching stores.

        Args:
            directories: stores; missing, unfinished and non-matching ones are skipped.
            header: header of the new store, with everything that labels depend on.
            k: log-probabilities per position.

        Raises:
            UserError: a shard is missing or damaged.
        """
        criteria = {**header, "k": k, "complete": True}
        tables = [
            table for path in directories if _matches_criteria(path, criteria) for table in LabelStore(path).shards()
        ]
        self.table = pa.concat_tables(tables) if tables else None
        self.row_by_sentence: dict[tuple[str, str, str | None], int] = {}
        for row, sentence in enumerate(_sentences(self.table, "reference") if self.table else ()):
            self.row_by_sentence.setdefault(sentence, row)

    def contains(self, sentences: pa.Table) -> np.ndarray:
        """Which sentences are cached: [n] bool. Columns of the table: id, source and target (the reference)."""
        return np.array([sentence in self.row_by_sentence for sentence in _sentences(sentences, "target")], dtype=bool)

    def complete_shard(self, sentences: pa.Table, new_shard: Shard | None) -> Shard:
        """The shard of all given sentences, joined from the cache and the newly labeled shard."""
        if new_shard is not None and new_shard.rows == sentences.num_rows:
            return new_shard
        assert self.table is not None
        rows = self.table.slice(0, 0) if new_shard is None else pq.read_table(pa.BufferReader(new_shard.content))
        return file_of(self.complete_table(sentences, rows))

    def complete_table(self, sentences: pa.Table, new_rows: pa.Table) -> pa.Table:
        """The table of all given sentences in their order, joined from the cache and `new_rows`."""
        if self.table is None or new_rows.num_rows == sentences.num_rows:
            return new_rows
        is_cached = self.contains(sentences)
        cached_rows = [
            self.row_by_sentence[row]
            for row, present in zip(_sentences(sentences, "target"), is_cached, strict=True)
            if present
        ]
        table = pa.concat_tables([self.table.take(cached_rows), new_rows])
        return table.take(np.argsort(np.concatenate([np.flatnonzero(is_cached), np.flatnonzero(~is_cached)])))


def _matches_criteria(path: Path, criteria: JsonMapping) -> bool:
    if not (path / MANIFEST).exists():
        return False
    manifest = read_manifest(path / MANIFEST)
    return all(manifest.get(key) == value for key, value in criteria.items())


def _sentences(table: pa.Table, reference: str) -> Iterator[tuple[str, str, str | None]]:
    """Id, source and reference of every row: an id alone may be another text in another corpus."""
    return zip(*(table[name].to_pylist() for name in ("id", "source", reference)), strict=True)
