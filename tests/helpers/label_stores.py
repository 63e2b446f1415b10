"""Label stores of made-up rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distilmt.labels.rows import LabelRow
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter

HEADER = {"teacher": "t", "tokenizer": "abc", "decoding": {"beam_size": 4}, "target_vocab_size": 100}


K = 3


def words(tokens: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    make = np.random.default_rng((seed, len(tokens)))
    ids = np.stack([make.permutation(99)[:K] for _ in tokens]) if tokens else np.empty((0, K))
    return ids.astype(np.int64), -make.random((len(tokens), K)).astype(np.float32)


def row(number: int, reference: bool = True) -> LabelRow:
    tokens = [*range(1, 2 + number % 4), 0]
    return LabelRow(
        id=f"id-{number}",
        source=f"source {number}",
        reference=f"reference {number}" if reference else None,
        hypotheses=[(f"text {number}", tokens, -0.5), ("second", [9, 0], -1.0)],
        top=words(tokens, number),
        reference_tokens=[5, 6, 0] if reference else None,
        reference_top=words([5, 6, 0], number + 1) if reference else None,
    )


def write(directory: Path, shards: list[list[LabelRow]], k: int = K) -> LabelStore:
    writer = LabelWriter(directory, HEADER, k)
    for rows in shards:
        writer.write_shard(rows)
    writer.finish()
    return LabelStore(directory)
