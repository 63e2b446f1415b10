"""Columns of label shards as flat arrays, the form that training reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from distilmt.labels.rows import TopK
from distilmt.utils.errors import UserError

COLUMNS = {
    "hypothesis": ["id", "hypotheses", "top_ids", "top_logprobs"],
    "reference": ["id", "reference_tokens", "reference_top_ids", "reference_top_logprobs"],
}


@dataclass
class LabelArrays:
    """Hypotheses or references of all rows as flat arrays: row i is `tokens[offsets[i]:offsets[i + 1]]`."""

    tokens: np.ndarray
    offsets: np.ndarray
    top_ids: np.ndarray | None
    """[len(tokens), k]; rows that the teacher did not score contain the token itself with probability 1."""
    top_logprobs: np.ndarray | None


def arrays_of(table: pa.Table, kind: str, k: int, vocabulary: int, directory: Path) -> LabelArrays:
    """A shard's hypotheses or references; `directory` appears in the error if the shard is damaged."""
    prefix = "" if kind == "hypothesis" else "reference_"
    tokens, lengths = _first_tokens(table) if kind == "hypothesis" else _flatten_lists(table["reference_tokens"])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids, id_lengths = _flatten_lists(table[f"{prefix}top_ids"])
    values, _ = _flatten_lists(table[f"{prefix}top_logprobs"])
    if not k:
        return LabelArrays(tokens, offsets, None, None)
    has_top_k = id_lengths > 0
    wrong = has_top_k & (id_lengths != lengths * k)
    if wrong.any() or len(values) != len(ids):
        row = table["id"][int(np.flatnonzero(wrong)[0]) if wrong.any() else 0]
        raise UserError(
            f"{directory}: id {str(row)!r} has a different number of positions and tokens: label into another run_dir"
        )
    top_ids, top_logprobs = np.empty((len(tokens), k), ids.dtype), np.empty((len(tokens), k), np.float16)
    scored_positions = np.repeat(has_top_k, lengths)
    top_ids[scored_positions], top_logprobs[scored_positions] = ids.reshape(-1, k), values.reshape(-1, k)
    top_ids[~scored_positions], top_logprobs[~scored_positions] = _one_hot_top_k(
        tokens[~scored_positions], k, vocabulary
    )
    return LabelArrays(tokens, offsets, top_ids, top_logprobs)


def _one_hot_top_k(tokens: np.ndarray, k: int, vocabulary: int) -> TopK:
    """One-hot distributions on the target tokens, for rows that the teacher did not score."""
    # The other ids only need to be distinct and below the pad (last, without a logit): their probability is 0.
    ids = (tokens[:, None].astype(np.int64) + np.arange(k)) % (vocabulary - 1)
    logprobs = np.full(ids.shape, -np.inf, np.float16)
    logprobs[:, 0] = 0
    return ids, logprobs


def _flatten_lists(column: pa.ChunkedArray) -> TopK:
    """Flat values of a list column, and the length of each list (null counts as empty)."""
    array = column.combine_chunks()
    array = array if isinstance(array, pa.ListArray) else pa.concat_arrays(array.chunks)
    lengths = np.asarray(pa.compute.fill_null(pa.compute.list_value_length(array), 0))
    return array.flatten().to_numpy(zero_copy_only=False), lengths.astype(np.int64)


def _first_tokens(table: pa.Table) -> TopK:
    """Flat tokens of the best hypothesis of each row, and their number; 0 for a row without hypotheses."""
    best, has_hypothesis = first_field(table, "tokens")
    tokens, lengths = _flatten_lists(pa.chunked_array([best]))
    all_lengths = np.zeros(len(has_hypothesis), np.int64)
    all_lengths[has_hypothesis] = lengths
    return tokens, all_lengths


def first_field(table: pa.Table, field: str) -> tuple[pa.Array, np.ndarray]:
    """A field of the best hypothesis of each row that has one, and a mask of these rows."""
    column = table["hypotheses"].combine_chunks()
    column = column if isinstance(column, pa.ListArray) else pa.concat_arrays(column.chunks)
    counts = np.asarray(pa.compute.list_value_length(column)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1][counts > 0]
    return column.flatten().field(field).take(pa.array(first)), counts > 0
