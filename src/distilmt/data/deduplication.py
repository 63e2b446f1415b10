"""Find duplicates and held-out text among any number of rows, with little memory.

Of every row a few 64-bit hashes are kept in a file. Rows with the same hash are found by sorting: where the file is
long, a part of all possible hashes at a time.
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
"""Rows that are looked at together."""
# Of both sides as they are, of the source's and the target's letters and digits, and of the source as it is.
_HASH_ROW = np.dtype([("pair", ">u8"), ("source", ">u8"), ("target", ">u8"), ("text", ">u8"), ("score", ">f4")])
_ENTRY = np.dtype([("hash", "<u8"), ("row", "<i8"), ("score", "<f4")])

Rows = npt.NDArray[np.int64]
DropReasons = npt.NDArray[np.uint8]
"""What becomes of every row: 0 if it stays."""


class HeldOut:
    """Sentences of valid and test, whose sources and targets training must not see."""

    def __init__(self) -> None:
        self._sources: set[int] = set()
        self._targets: set[int] = set()

    def add(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Hold sources and targets out; empty ones are not."""
        for sides in pairs:
            for text, hash_set in zip(sides, (self._sources, self._targets), strict=True):
                if text := normalize(text or ""):
                    hash_set.add(hash64(key(text)))

    def rows(self, path: Path) -> Iterator[Rows]:
        """Numbers of the rows of a file of marks that share a side with what is held out."""
        if not self._sources and not self._targets:
            return
        hash_arrays = {side: np.array(sorted(hash_set), np.uint64) for side, hash_set in
                (("source", self._sources), ("target", self._targets))}  # fmt: skip
        for start, hashes in _blocks(path):
            yield start + np.flatnonzero(
                np.any([np.isin(hashes[side].astype(np.uint64), hash_arrays[side]) for side in hash_arrays], axis=0)
            )


class HashWriter:
    """Writes the marks of rows, in order; they are all there when the block ends."""

    def __init__(self, path: Path, texts: bool) -> None:
        """Make ready to write to a file; with `texts` sources are also remembered as they are."""
        self._file, self._texts = path.open("wb"), texts

    def add(self, pair: Pair, monolingual: bool) -> None:
        """Write the mark of the next row, a normalised pair."""
        _, source, target, score = pair
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
        path: a file of marks; parts of it are sorted in files beside it.
        field: which hash.
        rows: those that are looked at.
        drop_reasons: a number per row; only those where it is 0 are looked at.

    Yields:
        Row numbers in no order.
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
    """The same things in `parts` arrays by the first bits of their hashes, by way of files."""
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
