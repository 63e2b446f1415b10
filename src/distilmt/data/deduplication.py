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

from distilmt.data.cleaning import digest, hash64, key, normalise
from distilmt.data.pairs import Pair

_NOTHING = bytes(8)
_pack = struct.Struct(">f").pack
_NO_SCORE = _pack(-math.inf)
_MAX_PARTS = 256  # files that are open together
BLOCK = 1 << 17
"""Rows that are looked at together."""
# Of both sides as they are, of the source's and the target's letters and digits, and of the source as it is.
_MARKS = np.dtype([("pair", ">u8"), ("source", ">u8"), ("target", ">u8"), ("text", ">u8"), ("score", ">f4")])
_FOUND = np.dtype([("hash", "<u8"), ("row", "<i8"), ("score", "<f4")])

Rows = npt.NDArray[np.int64]
Fates = npt.NDArray[np.uint8]
"""What becomes of every row: 0 if it stays."""


class HeldOut:
    """Sentences of valid and test, whose sources and targets training must not see."""

    def __init__(self) -> None:
        self._sources: set[int] = set()
        self._targets: set[int] = set()

    def add(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Hold sources and targets out; empty ones are not."""
        for sides in pairs:
            for text, held in zip(sides, (self._sources, self._targets), strict=True):
                if text := normalise(text or ""):
                    held.add(hash64(key(text)))

    def rows(self, path: Path) -> Iterator[Rows]:
        """Numbers of the rows of a file of marks that share a side with what is held out."""
        if not self._sources and not self._targets:
            return
        held = {side: np.array(sorted(found), np.uint64) for side, found in
                (("source", self._sources), ("target", self._targets))}  # fmt: skip
        for start, marks in _blocks(path):
            yield start + np.flatnonzero(
                np.any([np.isin(marks[side].astype(np.uint64), held[side]) for side in held], axis=0)
            )


class Writer:
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

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def later(path: Path, field: str, rows: range, fates: Fates | None = None) -> Iterator[Rows]:
    """Rows with the same hash as a better one: with a higher score, or with the same score and before it.

    Args:
        path: a file of marks; parts of it are sorted in files beside it.
        field: which hash.
        rows: those that are looked at.
        fates: a number per row; only those where it is 0 are looked at.

    Yields:
        Row numbers in no order.
    """
    parts = min(_MAX_PARTS, 1 << (len(rows) // BLOCK).bit_length())
    for found in _parted(_found(path, field, rows, fates), parts, path):
        found = found[np.lexsort((found["row"], -found["score"], found["hash"]))]
        yield found["row"][1:][found["hash"][1:] == found["hash"][:-1]]


def _found(path: Path, field: str, rows: range, fates: Fates | None) -> Iterator[npt.NDArray[np.void]]:
    for start, marks in _blocks(path):
        inside = slice(max(0, rows.start - start), max(0, rows.stop - start))
        marks = marks[inside]
        found = np.empty(len(marks), _FOUND)
        found["hash"], found["score"] = marks[field], marks["score"]
        found["row"] = np.arange(start + inside.start, start + inside.start + len(marks))
        yield found if fates is None else found[fates[found["row"]] == 0]


def _parted(blocks: Iterable[npt.NDArray[np.void]], parts: int, path: Path) -> Iterator[npt.NDArray[np.void]]:
    """The same things in `parts` arrays by the first bits of their hashes, by way of files."""
    if parts == 1:
        yield np.concatenate([np.empty(0, _FOUND), *blocks])
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
        yield np.fromfile(part_path, _FOUND)
        part_path.unlink()


def _blocks(path: Path) -> Iterator[tuple[int, npt.NDArray[np.void]]]:
    start = 0
    with path.open("rb") as file:
        while len(marks := np.fromfile(file, _MARKS, BLOCK)):
            yield start, marks
            start += len(marks)
