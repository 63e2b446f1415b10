"""Reading a label store: Parquet shards and a manifest (see `labels.store_writer`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from distilmt.labels.arrays import COLUMNS, LabelArrays, arrays_of, first_field
from distilmt.labels.datasets_library import dataset_of
from distilmt.labels.ids import first_duplicate_id
from distilmt.labels.manifest import FORMAT, MANIFEST, ShardEntry, is_whole, read_manifest
from distilmt.labels.rows import LabelRow, Shard, rows_of, schema_of
from distilmt.utils import progress
from distilmt.utils.arguments import existing_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint_files

if TYPE_CHECKING:
    from datasets import Dataset


class LabelStore:
    """Reads a label store: `len` is its number of sentences, and iteration yields the labels of each.

    Examples:
        >>> store = distilmt.LabelStore("runs/demo/labels")
        >>> rows = list(store)
        >>> len(rows) == len(store)
        True
        >>> source, translation = rows[0].source, rows[0].hypotheses[0][0]
    """

    def __init__(self, directory: str | Path, unfinished: bool = False) -> None:
        """Open a store.

        Args:
            directory: the store: the directory `labels` of a run.
            unfinished: also open it if shards are missing.

        Raises:
            TypeError: it is neither a str nor a Path.
            UserError: it does not exist or is not finished.
        """
        self.directory = directory = existing_path("directory", directory)
        if not (directory / MANIFEST).exists():
            inside = directory / "labels"
            remedy = f"name {inside}" if (inside / MANIFEST).exists() else "run `distilmt label` first"
            raise UserError(f"{directory} contains no labels: {remedy}")
        self.manifest = read_manifest(directory / MANIFEST)
        if self.manifest.get("format") != FORMAT:
            raise UserError(f"{directory} was written by another version of distilmt: label into another run_dir")
        self.complete = bool(self.manifest.get("complete"))
        if not (self.complete or unfinished):
            raise UserError(f"{directory}: the labels are not finished: run `distilmt label` again to resume")
        self.k, self.rows = int(self.manifest["k"]), int(self.manifest["rows"])

    def __len__(self) -> int:
        """Number of sentences."""
        return self.rows

    def __iter__(self) -> Iterator[LabelRow]:
        """The labels of each sentence, in order; errors as `shards`."""
        for table in self.shards():
            yield from rows_of(table, self.k)

    def to_dataset(self) -> Dataset:
        """All labels in memory, as a `datasets.Dataset` with the columns of the shards.

        Raises:
            UserError: the package `datasets` is not installed, or a shard is missing or damaged.
        """
        return dataset_of(list(self.shards()), schema_of(int(self.manifest["target_vocab_size"])))

    def require(self, tokenizer_fingerprint: str) -> None:
        """Check the tokenizer of the labels.

        Raises:
            UserError: they were made with another tokenizer.
        """
        fingerprint = self.manifest["tokenizer"]
        if fingerprint != tokenizer_fingerprint:
            raise UserError(
                f"the labels in {self.directory} were made with another tokenizer ({fingerprint} ≠ "
                f"{tokenizer_fingerprint}): run `distilmt label` again with this one, or restore the old tokenizer"
            )

    def shards(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The shards as tables, in order.

        Raises:
            UserError: a shard is missing or damaged.
        """
        for shard in self.manifest["shards"]:
            try:
                table = pq.read_table(self.directory / shard["name"], columns=columns and list(columns))
            except (OSError, pa.ArrowException):
                raise self._damaged(shard["name"]) from None
            yield table

    def ids(self) -> list[str]:
        """Ids of all rows, in order."""
        return [i for table in self.shards(["id"]) for i in table["id"].to_pylist()]

    def column(self, name: str) -> list[Any]:
        """The values of a column of all rows, in order."""
        return [value for table in self.shards([name]) for value in table[name].to_pylist()]

    def hypotheses(self) -> list[str]:
        """Text of the first hypothesis of every row, in order; empty if there is none."""
        hypotheses: list[str] = []
        for table in self.shards(["hypotheses"]):
            texts, has_hypothesis = first_field(table, "text")
            text_iterator = iter(texts.to_pylist())
            hypotheses += [next(text_iterator) if is_present else "" for is_present in has_hypothesis]
        return hypotheses

    def token_count(self) -> int:
        """Number of tokens of all hypotheses."""
        total = 0
        for table in self.shards(["hypotheses"]):
            lists = table["hypotheses"].combine_chunks()
            lists = lists if isinstance(lists, pa.ListArray) else pa.concat_arrays(lists.chunks)
            total += pa.compute.sum(pa.compute.list_value_length(lists.flatten().field("tokens"))).as_py() or 0
        return int(total)

    def reference_token_count(self) -> int:
        """Number of tokens of the scored references; 0 if `labels.score_on` is `hypothesis`."""
        columns = (table["reference_tokens"] for table in self.shards(["reference_tokens"]))
        return sum(pa.compute.sum(pa.compute.list_value_length(column)).as_py() or 0 for column in columns)

    def check(self) -> None:
        """Check everything, a shard at a time: checksums, unique ids, equal numbers of positions and tokens.

        Raises:
            UserError: a check fails; the message gives the shard or the id.
        """
        with progress.task("checking", self.rows, "rows") as bar:
            for entry, shard in zip(self.manifest["shards"], self.files(), strict=True):
                self._check_shard(entry, shard)
                bar.advance(shard.rows)
        if self.rows != sum(entry["rows"] for entry in self.manifest["shards"]):
            raise self._damaged(MANIFEST)
        duplicate = first_duplicate_id(lambda: self.shards(["id"]))
        if duplicate is not None:
            raise UserError(f"{self.directory}: id {duplicate!r} occurs more than once: label into another run_dir")

    def _check_shard(self, entry: ShardEntry, shard: Shard) -> None:
        try:
            table = pq.read_table(pa.BufferReader(shard.content))
        except pa.ArrowException:
            raise self._damaged(entry["name"]) from None
        if table.num_rows != entry["rows"]:
            raise self._damaged(entry["name"])
        for kind in COLUMNS:
            arrays_of(table, kind, self.k, int(self.manifest["target_vocab_size"]), self.directory)

    def files(self) -> Iterator[Shard]:
        """The shards as files, in order.

        Raises:
            UserError: a shard is missing or damaged.
        """
        for entry in self.manifest["shards"]:
            path = self.directory / entry["name"]
            if not is_whole(path, entry["checksum"]):
                raise self._damaged(entry["name"])
            yield Shard(entry["rows"], path.read_bytes())

    def arrays(self, kind: str) -> LabelArrays:
        """Best hypotheses (`hypothesis`) or references (`reference`) of all rows with the teacher's top-k.

        Raises:
            UserError: the numbers of positions and tokens differ.
        """
        top = COLUMNS[kind][2]
        parts, has_top_k = [], False
        for table in self.shards(COLUMNS[kind]):
            parts.append(arrays_of(table, kind, self.k, int(self.manifest["target_vocab_size"]), self.directory))
            has_top_k |= table[top].null_count < table.num_rows
        lengths = [np.diff(p.offsets) for p in parts]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([*lengths, np.empty(0, np.int64)]))]).astype(np.int64)
        return LabelArrays(
            np.concatenate([*(p.tokens for p in parts), np.empty(0, np.int32)]),
            offsets,
            np.concatenate([p.top_ids for p in parts if p.top_ids is not None]) if has_top_k and self.k else None,
            np.concatenate([p.top_logprobs for p in parts if p.top_logprobs is not None])
            if has_top_k and self.k
            else None,
        )

    def damaged(self) -> list[str]:
        """Names of shards that are missing, truncated, or were changed after the manifest was written.

        Cheap: it computes checksums only of shards newer than the manifest; `check` computes all.
        """
        written = (self.directory / MANIFEST).stat().st_mtime_ns
        return [shard["name"] for shard in self.manifest["shards"] if not self._seems_whole(shard, written)]

    def _seems_whole(self, shard: ShardEntry, written: int) -> bool:
        path = self.directory / shard["name"]
        try:
            if path.stat().st_mtime_ns > written:
                return bool(fingerprint_files(path) == shard["checksum"])
            return bool(pq.read_metadata(path).num_rows == shard["rows"])
        except (OSError, pa.ArrowException):
            return False

    def _damaged(self, name: str) -> UserError:
        if name == MANIFEST:
            return UserError(
                f"{self.directory / name} does not match its shards: label into another directory (run_dir)"
            )
        return UserError(
            f"{self.directory / name} is missing or damaged: run `distilmt label` again; it labels only this shard "
            "again"
        )
