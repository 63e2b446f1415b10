"""Labels of a sentence, and their layout in a Parquet shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.utils.json_types import JsonObject

TopK = tuple[np.ndarray, np.ndarray]


@dataclass
class LabelRow:
    """Labels of one sentence."""

    id: str
    source: str
    reference: str | None
    hypotheses: list[tuple[str, list[int], float]]
    """Text, ids with `</s>`, score; best first."""
    top: TopK | None = None
    """Ids [positions, k] and log-probabilities [positions, k] on the first hypothesis."""
    reference_tokens: list[int] | None = None
    """The reference's ids with `</s>`."""
    reference_top: TopK | None = None
    """Like `top`, on the reference."""
    reverse: float | None = None
    """Mean log-probability of the source's tokens given the first hypothesis, by the backward model."""


def schema_of(vocabulary: int) -> pa.Schema:
    """Columns of a shard for a target vocabulary of this size."""
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


def table_of(rows: Sequence[LabelRow], schema: pa.Schema) -> pa.Table:
    """Rows as the table of a shard."""
    columns: dict[str, Sequence[object]] = {
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


@dataclass
class Shard:
    """The file of a shard."""

    rows: int
    content: bytes
    decoded_again: int = 0
    """Rows decoded again in float32 because the low-precision output was degenerate."""
    seconds: float = 0.0
    """Labeling time."""
    usage: dict[str, float] = field(default_factory=dict)
    """What a program or server counted that stores no responses, as on a worker of a cluster."""


def shard_of(rows: Sequence[LabelRow], schema: pa.Schema) -> Shard:
    """Rows as the file of a shard: equal rows give equal bytes."""
    return file_of(table_of(rows, schema))


def file_of(table: pa.Table) -> Shard:
    """The table of a shard as its file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return Shard(table.num_rows, sink.getvalue().to_pybytes())


def _flat(tops: Sequence[TopK | None], which: int, kind: pa.DataType) -> pa.Array:
    """One flat list of positions × k values per row; null for rows without top-k."""
    lengths = [0 if top is None else top[which].size for top in tops]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    parts = [top[which].ravel() for top in tops if top is not None]
    dtype = kind.value_type.to_pandas_dtype()
    values = pa.array(np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype), kind.value_type)
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([top is None for top in tops], pa.bool_()))


def rows_of(table: pa.Table, k: int) -> list[LabelRow]:
    """The rows of a shard."""
    rows = []
    for row in table.to_pylist():
        tops = [_top_of(row, prefix, k) for prefix in ("", "reference_")]
        hypotheses = [(h["text"], h["tokens"], h["score"]) for h in row["hypotheses"]]
        rows.append(
            LabelRow(
                id=row["id"],
                source=row["source"],
                reference=row["reference"],
                hypotheses=hypotheses,
                top=tops[0],
                reference_tokens=row["reference_tokens"],
                reference_top=tops[1],
                reverse=row.get("reverse"),
            )
        )
    return rows


def _top_of(row: JsonObject, prefix: str, k: int) -> TopK | None:
    ids, logprobs = row[f"{prefix}top_ids"], row[f"{prefix}top_logprobs"]
    if ids is None or not k:
        return None
    return np.asarray(ids, np.int64).reshape(-1, k), np.asarray(logprobs, np.float16).reshape(-1, k)
