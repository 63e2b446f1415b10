"""The label store: Parquet shards and a manifest.

A shard is whole and named in the manifest, or it does not exist: it is written to a temporary name, flushed, renamed,
and then entered in the manifest, which is replaced atomically. Ids never shift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from distilmt.errors import UserError
from distilmt.labels.arrays import COLUMNS, LabelArrays, arrays_of, first_field
from distilmt.labels.rows import LabelRow, schema_of, table_of
from distilmt.rundir import atomic_path, fingerprint_files, read_json, write_json

FORMAT = 1
MANIFEST = "manifest.json"


class LabelWriter:
    """Writes a store shard by shard; opened again after an interruption it goes on behind the last whole shard."""

    def __init__(self, directory: Path, header: dict[str, Any], k: int) -> None:
        """Open or begin a store.

        Args:
            directory: the store.
            header: what the labels depend on (teacher, tokenizer, decoding, target_vocab_size).
            k: log-probabilities per position; 0 for none.

        Raises:
            UserError: a store with another header lies there.
        """
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.schema = schema_of(int(header["target_vocab_size"]))
        self.manifest: dict[str, Any] = {"format": FORMAT, **header, "k": k, "shards": [], "rows": 0, "complete": False}
        path = directory / MANIFEST
        if path.exists():
            old = read_json(path)
            different = [key for key in (*header, "k", "format") if old.get(key) != self.manifest[key]]
            if different:
                raise UserError(
                    f"{directory} holds labels made with another {', '.join(different)}: "
                    "delete it or name another run_dir"
                )
            self.manifest = old
            self._forget_damaged()
        whole = {shard["name"] for shard in self.manifest["shards"]}
        for stray in directory.glob("*shard-*"):
            if stray.name not in whole:
                stray.unlink()

    def _forget_damaged(self) -> None:
        """Go back behind the first shard that is not as it was written: from there on labels are written again."""
        whole = []
        for shard in self.manifest["shards"]:
            if not _is_whole(self.directory / shard["name"], shard["checksum"]):
                break
            whole.append(shard)
        if len(whole) < len(self.manifest["shards"]):
            rows = sum(shard["rows"] for shard in whole)
            self.manifest |= {"shards": whole, "rows": rows, "complete": False}
            write_json(self.directory / MANIFEST, self.manifest)

    def done(self) -> int:
        """Number of whole shards."""
        return len(self.manifest["shards"])

    def write_shard(self, rows: Sequence[LabelRow] | pa.Table) -> None:
        """Append a shard; a table has the columns of `schema_of`."""
        table = rows if isinstance(rows, pa.Table) else table_of(rows, self.schema)
        name = f"shard-{self.done():05d}.parquet"
        path = self.directory / name
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        self.manifest["shards"].append({"name": name, "rows": table.num_rows, "checksum": fingerprint_files(path)})
        self.manifest["rows"] += table.num_rows
        write_json(self.directory / MANIFEST, self.manifest)

    def finish(self) -> None:
        """Mark the store as complete."""
        self.manifest["complete"] = True
        write_json(self.directory / MANIFEST, self.manifest)


def _is_whole(path: Path, checksum: str) -> bool:
    return path.exists() and fingerprint_files(path) == checksum


class LabelStore:
    """A finished store."""

    def __init__(self, directory: Path) -> None:
        """Open a store.

        Raises:
            UserError: there is none, or it is not finished.
        """
        self.directory = directory
        if not (directory / MANIFEST).exists():
            raise UserError(f"{directory} holds no labels: run `distilmt label` first")
        self.manifest = read_json(directory / MANIFEST)
        if self.manifest.get("format") != FORMAT:
            raise UserError(f"{directory} was written by another version of distilmt: delete it and label again")
        if not self.manifest.get("complete"):
            raise UserError(f"{directory}: the labels are not finished: run `distilmt label` again, it goes on")
        self.k, self.rows = int(self.manifest["k"]), int(self.manifest["rows"])

    def require(self, tokenizer_fingerprint: str) -> None:
        """Refuse labels that were made with another tokenizer.

        Raises:
            UserError: they were.
        """
        found = self.manifest["tokenizer"]
        if found != tokenizer_fingerprint:
            raise UserError(
                f"the labels in {self.directory} were made with another tokenizer ({found} ≠ {tokenizer_fingerprint}): "
                "run `distilmt label` again with this one, or put the old tokenizer back"
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
        """A text column of all rows, in order."""
        return [value for table in self.shards([name]) for value in table[name].to_pylist()]

    def hypotheses(self) -> list[str]:
        """Text of the first hypothesis of every row, in order; empty where there is none."""
        found: list[str] = []
        for table in self.shards(["hypotheses"]):
            texts, there = first_field(table, "text")
            rest = iter(texts.to_pylist())
            found += [next(rest) if has else "" for has in there]
        return found

    def spoken(self) -> int:
        """Tokens of all hypotheses together."""
        found = 0
        for table in self.shards(["hypotheses"]):
            lists = table["hypotheses"].combine_chunks()
            lists = lists if isinstance(lists, pa.ListArray) else pa.concat_arrays(lists.chunks)
            found += pa.compute.sum(pa.compute.list_value_length(lists.flatten().field("tokens"))).as_py() or 0
        return int(found)

    def check(self) -> None:
        """Read everything: checksums, every id once, as many positions as tokens.

        Raises:
            UserError: something is wrong; names the shard or the id.
        """
        for shard in self.manifest["shards"]:
            path = self.directory / shard["name"]
            if not _is_whole(path, shard["checksum"]):
                raise self._damaged(shard["name"])
        twice = [i for i, count in Counter(self.ids()).items() if count > 1]
        if twice:
            raise UserError(f"{self.directory}: id {twice[0]!r} is there more than once: delete it and label again")
        for kind in ("hypothesis", "reference"):
            self.arrays(kind)

    def arrays(self, kind: str) -> LabelArrays:
        """All rows' best hypotheses (`hypothesis`) or references (`reference`) with the teacher's words.

        Raises:
            UserError: positions and tokens differ.
        """
        top = COLUMNS[kind][2]
        parts, asked = [], False
        for table in self.shards(COLUMNS[kind]):
            parts.append(arrays_of(table, kind, self.k, int(self.manifest["target_vocab_size"]), self.directory))
            asked |= table[top].null_count < table.num_rows
        lengths = [np.diff(p.offsets) for p in parts]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([*lengths, np.empty(0, np.int64)]))]).astype(np.int64)
        return LabelArrays(
            np.concatenate([*(p.tokens for p in parts), np.empty(0, np.int32)]),
            offsets,
            np.concatenate([p.top_ids for p in parts if p.top_ids is not None]) if asked and self.k else None,
            np.concatenate([p.top_logprobs for p in parts if p.top_logprobs is not None]) if asked and self.k else None,
        )

    def _damaged(self, name: str) -> UserError:
        return UserError(f"{self.directory / name} is missing or damaged: delete {self.directory} and label again")
