"""Parallel lines that are shifted against each other: a line was lost on one side, and all after it do not match.

Lengths of translations correlate, and numbers and addresses are copied. Where both fit better to a line before or after
than to the same line, the sides are shifted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from distilmt.data.cleaning import weighted_length
from distilmt.data.cleaning_rules import numbers, urls
from distilmt.data.pairs import Pair

MAX_OFFSET = 3
BLOCK = 250
"""Consecutive lines that are compared together."""
_FEWEST = 60
_MIN_CORRELATION, _MIN_GAIN = 0.4, 0.3
_FEWEST_ANCHORS, _MIN_MATCHES, _MIN_MORE_MATCHES = 10, 0.5, 0.4
_MAX_CHARS = 2000


class ShiftedLines(TypedDict):
    """Lines whose sources fit to the target `offset` lines further down; `correlation` is that of the lengths there."""

    first_line: int
    last_line: int
    offset: int
    correlation: float
    correlation_in_place: float


@dataclass
class ShiftDetector:
    """Compares lines in the order of their file, a block at a time."""

    ranges: list[ShiftedLines] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _lengths: list[tuple[float, float]] = field(default_factory=list)
    _anchors: list[tuple[int, int]] = field(default_factory=list)

    def add(self, pair: Pair) -> None:
        """Take the next pair of a file."""
        sides = pair.source[:_MAX_CHARS], pair.target[:_MAX_CHARS]
        self._lines.append(pair.line)
        self._lengths.append((weighted_length(sides[0]), weighted_length(sides[1])))
        self._anchors.append((_anchor(sides[0]), _anchor(sides[1])))
        if len(self._lines) == BLOCK:
            self.end_block()

    def end_block(self) -> None:
        """Compare the lines since the last block: after them the file ends, or lines are left out."""
        if len(self._lines) >= _FEWEST:
            self._compare(np.log1p(np.array(self._lengths)), np.array(self._anchors, dtype=np.int64))
        self._lines, self._lengths, self._anchors = [], [], []

    def _compare(self, lengths: npt.NDArray[np.float64], anchors: npt.NDArray[np.int64]) -> None:
        offsets = [offset for offset in range(-MAX_OFFSET, MAX_OFFSET + 1) if offset]
        correlations = {offset: _correlation(*_sides(lengths, offset)) for offset in (0, *offsets)}
        matches = {offset: _match_share(*_sides(anchors, offset)) for offset in (0, *offsets)}
        for offset in sorted(offsets, key=lambda each: (-matches[each] - correlations[each], abs(each))):
            by_length = correlations[offset] >= max(_MIN_CORRELATION, correlations[0] + _MIN_GAIN)
            by_anchor = matches[offset] >= max(_MIN_MATCHES, matches[0] + _MIN_MORE_MATCHES)
            if by_length or by_anchor:
                self._record(offset, correlations[offset], correlations[0])
                return

    def _record(self, offset: int, correlation: float, in_place: float) -> None:
        last = self.ranges[-1] if self.ranges else None
        if last and last["offset"] == offset and self._lines[0] - last["last_line"] <= BLOCK:
            last["last_line"] = self._lines[-1]
            return
        self.ranges.append(
            ShiftedLines(
                first_line=self._lines[0],
                last_line=self._lines[-1],
                offset=offset,
                correlation=round(correlation, 3),
                correlation_in_place=round(in_place, 3),
            )
        )


def _anchor(text: str) -> int:
    """Hash of the numbers and addresses of a text; 0 without any."""
    items = (*numbers(text), *sorted(urls(text)))
    return (hash(items) or 1) if items else 0


def _sides(table: npt.NDArray[Any], offset: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The sources, and the targets `offset` lines further down, where both exist."""
    count = len(table) - abs(offset)
    return table[max(0, -offset) :][:count, 0], table[max(0, offset) :][:count, 1]


def _correlation(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> float:
    if not (np.ptp(left) and np.ptp(right)):
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])


def _match_share(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> float:
    """Share of the lines with equal numbers and addresses, of those that have some on both sides or on one."""
    have = (left != 0) & (right != 0)
    either = min(int(np.count_nonzero(left)), int(np.count_nonzero(right)))
    if either < _FEWEST_ANCHORS:
        return 0.0
    return float(np.count_nonzero(have & (left == right))) / either
