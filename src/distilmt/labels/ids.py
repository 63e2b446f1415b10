"""Find duplicate ids on disk: memory does not grow with their number."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.data.cleaning import hash64

_BUCKETS = 256
_SUSPECTS = 1000


def hashes_of(ids: list[str]) -> np.ndarray:
    """64-bit hashes of ids, the same in every process."""
    return np.fromiter(map(hash64, ids), np.uint64, len(ids))


def first_duplicate_id(tables: Callable[[], Iterator[pa.Table]]) -> str | None:
    """An id that occurs more than once, or None.

    Hashes are distributed to files by their first bits, so that equal ones are in the same file. Each file is searched
    separately, and ids with equal hashes are then compared themselves.

    Args:
        tables: returns an iterator over the rows at every call; their ids are in the column `id`.
    """
    with tempfile.TemporaryDirectory(prefix="distilmt-") as temporary:
        files = [Path(temporary) / str(number) for number in range(_BUCKETS)]
        for table in tables():
            _sort_into(files, hashes_of(table["id"].to_pylist()))
        suspects: set[int] = set()
        for file in files:
            if len(suspects) < _SUSPECTS and file.exists():
                values = np.sort(np.fromfile(file, np.uint64))
                suspects.update(values[1:][values[1:] == values[:-1]][:_SUSPECTS].tolist())
    if not suspects:
        return None
    ids = (i for table in tables() for i in table["id"].to_pylist() if hash64(i) in suspects)
    return next((i for i, count in Counter(ids).items() if count > 1), None)


def _sort_into(files: list[Path], values: np.ndarray) -> None:
    bucket = (values >> np.uint64(56)).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    ends = np.searchsorted(bucket[order], np.arange(1, _BUCKETS))
    for file, part in zip(files, np.split(values[order], ends), strict=True):
        if len(part):
            with file.open("ab") as out:
                part.tofile(out)
