"""The label store: Parquet shards and a manifest.

A shard is whole and named in the manifest, or it does not exist: it is written to a temporary name, flushed, renamed,
and then entered in the manifest, which is replaced atomically. Ids never shift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from distilmt.errors import UserError
from distilmt.rundir import atomic_path, fingerprint_files, read_json, write_json

FORMAT = 1
MANIFEST = "manifest.json"
Top = tuple[np.ndarray, np.ndarray]


@dataclass
class LabelRow:
    """What the teacher said of one sentence."""

    id: str
    source: str
    reference: str | None
    hypotheses: list[tuple[str, list[int], float]]
    """Text, ids with `</s>`, score; best first."""
    top: Top | None = None
    """Ids [positions, k] and log-probabilities [positions, k] on the first hypothesis."""
    reference_tokens: list[int] | None = None
    """The reference's ids with `</s>`."""
    reference_top: Top | None = None
    """Like `top`, on the reference."""
    reverse: float | None = None
    """Mean log-probability of the source's pieces after the first hypothesis, by a model of the other direction."""


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
        self.schema = _schema(int(header["target_vocab_size"]))
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

    def write_shard(self, rows: Sequence[LabelRow]) -> None:
        """Append a shard."""
        name = f"shard-{self.done():05d}.parquet"
        path = self.directory / name
        with atomic_path(path) as temporary:
            pq.write_table(_table(rows, self.schema), temporary, compression="zstd")
        self.manifest["shards"].append({"name": name, "rows": len(rows), "checksum": fingerprint_files(path)})
        self.manifest["rows"] += len(rows)
        write_json(self.directory / MANIFEST, self.manifest)

    def finish(self) -> None:
        """Mark the store as complete."""
        self.manifest["complete"] = True
        write_json(self.directory / MANIFEST, self.manifest)


def _is_whole(path: Path, checksum: str) -> bool:
    return path.exists() and fingerprint_files(path) == checksum


def _schema(vocabulary: int) -> pa.Schema:
    ids = pa.list_(pa.uint16() if vocabulary <= 1 << 16 else pa.uint32())
    tokens, logprobs = pa.list_(pa.int32()), pa.list_(pa.float16())
    hypothesis = pa.struct([("text", pa.string()), ("tokens", tokens), ("score", pa.float32())])
    return pa.schema(
        [
            ("id", pa.string()),
            ("source", pa.string()),
            ("reference", pa.string()),
            ("hypotheses", pa.list_(hypothesis)),
            ("top_ids", ids),
            ("top_logprobs", logprobs),
            ("reference_tokens", tokens),
            ("reference_top_ids", ids),
            ("reference_top_logprobs", logprobs),
            ("reverse", pa.float32()),
        ]
    )


def _table(rows: Sequence[LabelRow], schema: pa.Schema) -> pa.Table:
    columns: dict[str, Any] = {
        "id": [r.id for r in rows],
        "source": [r.source for r in rows],
        "reference": [r.reference for r in rows],
        "hypotheses": [[{"text": t, "tokens": ids, "score": s} for t, ids, s in r.hypotheses] for r in rows],
        "reference_tokens": [r.reference_tokens for r in rows],
        "reverse": [r.reverse for r in rows],
    }
    for prefix, tops in (("", [r.top for r in rows]), ("reference_", [r.reference_top for r in rows])):
        columns[f"{prefix}top_ids"] = _flat(tops, 0, schema.field(f"{prefix}top_ids").type)
        columns[f"{prefix}top_logprobs"] = _flat(tops, 1, schema.field(f"{prefix}top_logprobs").type)
    return pa.table(columns, schema=schema)


def _flat(tops: Sequence[Top | None], which: int, kind: pa.DataType) -> pa.Array:
    """One list per row, positions × k laid flat; null where the teacher was not asked."""
    lengths = [0 if top is None else top[which].size for top in tops]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    parts = [top[which].ravel() for top in tops if top is not None]
    dtype = kind.value_type.to_pandas_dtype()
    values = pa.array(np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype), kind.value_type)
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([top is None for top in tops]))


@dataclass
class LabelArrays:
    """One kind of sequence of every row, laid flat: `tokens[offsets[i]:offsets[i + 1]]` is row i's."""

    tokens: np.ndarray
    offsets: np.ndarray
    top_ids: np.ndarray | None
    """[len(tokens), k]; rows the teacher was not asked of hold the word itself with probability 1."""
    top_logprobs: np.ndarray | None


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
            texts, there = _first(table, "text")
            rest = iter(texts.to_pylist())
            found += [next(rest) if has else "" for has in there]
        return found

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
        top = _COLUMNS[kind][2]
        parts, asked = [], False
        for table in self.shards(_COLUMNS[kind]):
            parts.append(_arrays(table, kind, self.k, int(self.manifest["target_vocab_size"]), self.directory))
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


def rows_of(table: pa.Table, k: int) -> list[LabelRow]:
    """A shard's rows as they were written."""
    rows = []
    for row in table.to_pylist():
        tops = [_top_of(row, prefix, k) for prefix in ("", "reference_")]
        hypotheses = [(h["text"], h["tokens"], h["score"]) for h in row["hypotheses"]]
        sentence = row["id"], row["source"], row["reference"]
        rows.append(LabelRow(*sentence, hypotheses, tops[0], row["reference_tokens"], tops[1], row.get("reverse")))
    return rows


def _top_of(row: dict[str, Any], prefix: str, k: int) -> Top | None:
    ids, logprobs = row[f"{prefix}top_ids"], row[f"{prefix}top_logprobs"]
    if ids is None or not k:
        return None
    return np.asarray(ids, np.int64).reshape(-1, k), np.asarray(logprobs, np.float16).reshape(-1, k)


_COLUMNS = {
    "hypothesis": ["id", "hypotheses", "top_ids", "top_logprobs"],
    "reference": ["id", "reference_tokens", "reference_top_ids", "reference_top_logprobs"],
}


def _arrays(table: pa.Table, kind: str, k: int, vocabulary: int, directory: Path) -> LabelArrays:
    prefix = "" if kind == "hypothesis" else "reference_"
    tokens, lengths = _first_tokens(table) if kind == "hypothesis" else _lists(table["reference_tokens"])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids, id_lengths = _lists(table[f"{prefix}top_ids"])
    values, _ = _lists(table[f"{prefix}top_logprobs"])
    if not k:
        return LabelArrays(tokens, offsets, None, None)
    asked = id_lengths > 0
    wrong = asked & (id_lengths != lengths * k)
    if wrong.any() or len(values) != len(ids):
        row = table["id"][int(np.flatnonzero(wrong)[0]) if wrong.any() else 0]
        raise UserError(f"{directory}: id {str(row)!r} has other positions than tokens: delete it and label again")
    top_ids, top_logprobs = np.empty((len(tokens), k), ids.dtype), np.empty((len(tokens), k), np.float16)
    at = np.repeat(asked, lengths)
    top_ids[at], top_logprobs[at] = ids.reshape(-1, k), values.reshape(-1, k)
    top_ids[~at], top_logprobs[~at] = _certain(tokens[~at], k, vocabulary)
    return LabelArrays(tokens, offsets, top_ids, top_logprobs)


def _certain(tokens: np.ndarray, k: int, vocabulary: int) -> Top:
    """A teacher who is certain of the words as they stand: what stands where it was not asked."""
    # Distinct ids below the pad (which is last and has no logit) are needed, whatever they are: their probability is 0.
    ids = (tokens[:, None].astype(np.int64) + np.arange(k)) % (vocabulary - 1)
    logprobs = np.full(ids.shape, -np.inf, np.float16)
    logprobs[:, 0] = 0
    return ids, logprobs


def _lists(column: pa.ChunkedArray) -> Top:
    """Values of a list column laid flat, and the length of each list (null counts as empty)."""
    array = column.combine_chunks()
    array = array if isinstance(array, pa.ListArray) else pa.concat_arrays(array.chunks)
    lengths = np.asarray(pa.compute.fill_null(pa.compute.list_value_length(array), 0))
    return array.flatten().to_numpy(zero_copy_only=False), lengths.astype(np.int64)


def _first_tokens(table: pa.Table) -> Top:
    """Tokens of the best hypothesis of each row; none for a row without hypotheses."""
    best, there = _first(table, "tokens")
    found, lengths = _lists(pa.chunked_array([best]))
    all_lengths = np.zeros(len(there), np.int64)
    all_lengths[there] = lengths
    return found, all_lengths


def _first(table: pa.Table, field: str) -> tuple[pa.Array, np.ndarray]:
    """A field of the best hypothesis of each row that has one, and which rows have."""
    column = table["hypotheses"].combine_chunks()
    column = column if isinstance(column, pa.ListArray) else pa.concat_arrays(column.chunks)
    counts = np.asarray(pa.compute.list_value_length(column)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1][counts > 0]
    return column.flatten().field(field).take(pa.array(first)), counts > 0
