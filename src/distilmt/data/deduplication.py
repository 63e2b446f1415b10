"""Find duplicates and held-out text among any number of rows, in bounded memory.

A file stores a few 64-bit hashes per row. Sorting finds rows with the same hash; a long file is sorted one range of
hashes at a time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from distilmt.data.cleaning import digest, hash64, key, normalize
from distilmt.data.pairs import Pair

_NOTHING = bytes(8)
_pack = struct.Struct(">f").pack
_NO_SCORE = _pack(-math.inf)
_MAX_PARTS = 256  # files that are open together
BLOCK = 1 << 17
"""Rows per block."""
# Hashes of both sides, of the letters and digits of source and target, and of the source.
_HASH_ROW = np.dtype([("pair", ">u8"), ("source", ">u8"), ("target", ">u8"), ("text", ">u8"), ("score", ">f4")])
_ENTRY = np.dtype([("hash", "<u8"), ("row", "<i8"), ("score", "<f4")])

Rows = npt.NDArray[np.int64]
DropReasons = npt.NDArray[np.uint8]
"""Drop reason per row: 0 if the row stays."""


class HeldOut:
    """Sources and targets of valid and test, which must not occur in train."""

    def __init__(self) -> None:
        self._sources: set[int] = set()
        self._targets: set[int] = set()

    def add(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Hold out sources and targets, except empty ones."""
        for sides in pairs:
            for text, hash_set in zip(sides, (self._sources, self._targets), strict=True):
                if text := normalize(text or ""):
                    hash_set.add(hash64(key(text)))

    def rows(self, path: Path) -> Iterator[Rows]:
        """Numbers of the rows of a hash file that share a side with held-out text."""
        if not self._sources and not self._targets:
            return
        hash_arrays = {side: np.array(sorted(hash_set), np.uint64) for side, hash_set in
                (("source", self._sources), ("target", self._targets))}  # fmt: skip
        for start, hashes in _blocks(path):
            yield start + np.flatnonzero(
                np.any([np.isin(hashes[side].astype(np.uint64), hash_arrays[side]) for side in hash_arrays], axis=0)
            )


class HashWriter:
    """Writes the hashes of rows in order; the file is complete when the block ends."""

    def __init__(self, path: Path, texts: bool) -> None:
        """Prepare to write to a file; with `texts` exact sources are hashed too."""
        self._file, self._texts = path.open("wb"), texts

    def add(self, pair: Pair, monolingual: bool) -> None:
        """Write the hashes of the next row, a normalized pair."""
        source, target, score = pair.source, pair.target, pair.score
        both = _NOTHING if monolingual else digest(f"{source}\t{target}")
        right = _NOTHING if monolingual else digest(key(target))
        text = digest(source) if self._texts else _NOTHING
        self._file.write(both + digest(key(source)) + right + text + (_NO_SCORE if score is None else _pack(score)))

    def __enter__(self) -> HashWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def duplicate_rows(path: Path, field: str, rows: range, drop_reasons: DropReasons | None = None) -> Iterator[Rows]:
    """Rows with the same hash as a better one: with a higher score, or with the same score and before it.

    Args:
        path: a hash file; parts of it are sorted in files next to it.
        field: name of the hash.
        rows: the rows to compare.
        drop_reasons: a number per row; only rows with 0 are compared.

    Yields:
        Row numbers in arbitrary order.
    """
    parts = min(_MAX_PARTS, 1 << (len(rows) // BLOCK).bit_length())
    for entries in _partition(_entries(path, field, rows, drop_reasons), parts, path):
        entries = entries[np.lexsort((entries["row"], -entries["score"], entries["hash"]))]
        yield entries["row"][1:][entries["hash"][1:] == entries["hash"][:-1]]


def _entries(path: Path, field: str, rows: range, drop_reasons: DropReasons | None) -> Iterator[npt.NDArray[np.void]]:
    for start, hashes in _blocks(path):
        inside = slice(max(0, rows.start - start), max(0, rows.stop - start))
        hashes = hashes[inside]
        entries = np.empty(len(hashes), _ENTRY)
        entries["hash"], entries["score"] = hashes[field], hashes["score"]
        entries["row"] = np.arange(start + inside.start, start + inside.start + len(hashes))
        yield entries if drop_reasons is None else entries[drop_reasons[entries["row"]] == 0]


def _partition(blocks: Iterable[npt.NDArray[np.void]], parts: int, path: Path) -> Iterator[npt.NDArray[np.void]]:
    """Split records into `parts` arrays by the first bits of their hashes, using files."""
    if parts == 1:
        yield np.concatenate([np.empty(0, _ENTRY), *blocks])
        return
    paths = [path.with_name(f"{path.name}.{part}") for part in range(parts)]
    files = [part.open("wb") for part in paths]
    try:
        for block in blocks:
            which = block["hash"] >> np.uint64(64 - (parts.bit_length() - 1))
            order = np.argsort(which, kind="stable")
            bounds = np.searchsorted(which[order], np.arange(parts + 1, dtype=np.uint64))
            for part, file in enumerate(files):
                block[order[bounds[part] : bounds[part + 1]]].tofile(file)
    finally:
        for file in files:
            file.close()
    for part_path in paths:
        yield np.fromfile(part_path, _ENTRY)
        part_path.unlink()


def _blocks(path: Path) -> Iterator[tuple[int, npt.NDArray[np.void]]]:
    start = 0
    with path.open("rb") as file:
        while len(hashes := np.fromfile(file, _HASH_ROW, BLOCK)):
            yield start, hashes
            start += len(hashes)
