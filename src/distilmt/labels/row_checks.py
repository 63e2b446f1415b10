"""Check that a label store has the labels of a corpus's sentences, row by row: a shift by a line spoils a student."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import pyarrow as pa

from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError


def check_rows(store: LabelStore, sentences: Iterable[pa.Table]) -> None:
    """Compare number and ids of the rows of each shard with those of the sentences.

    Args:
        store: a finished store.
        sentences: the labeled sentences in order, one table per shard.

    Raises:
        UserError: a row is missing, or has another id.
    """
    for number, (labels, labeled) in enumerate(zip_longest(store.shards(["id"]), sentences)):
        ids = [[] if table is None else table["id"].to_pylist() for table in (labels, labeled)]
        if ids[0] != ids[1]:
            row = next((i for i, pair in enumerate(zip(*ids, strict=False)) if pair[0] != pair[1]), min(map(len, ids)))
            have, want = (repr(part[row]) if row < len(part) else "no row" for part in ids)
            raise UserError(
                f"{store.directory}: row {row + 1} of shard {number + 1} has labels of {have}, but the corpus has"
                f" {want} there: delete the directory and label again"
            )
