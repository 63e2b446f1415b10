"""Tables among the lines of a page: rows of cells that are read from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distilmt.pictures.layout import Box

_SAME_ROW = 0.4
"""In sizes: largest distance of baselines in a row."""
_MAX_DISTANCE = 4.0
"""In sizes: rows that are further apart are two tables."""
_NARROW, _NUMBER = 8.0, 4.0
"""In sizes: widths of words and of numbers; the lines of a column of text are wider."""
_WORDS, _NUMBERS = 0.6, 1 / 3
"""Fractions of such cells, from which rows are a table and not columns of text."""


def table_rows(boxes: Sequence[Box]) -> list[list[list[int]]]:
    """The tables of a page: rows from top to bottom, each with indices of lines from left to right."""
    tables: list[list[list[int]]] = []
    previous: list[int] = []
    for row in _rows(boxes):
        if len(row) < 2:
            previous = []
            continue
        if previous and _distance(boxes, previous, row) < _MAX_DISTANCE * boxes[row[0]].size:
            tables[-1].append(row)
        else:
            tables.append([row])
        previous = row
    return [table for table in tables if len(table) > 1 and _is_tabular(boxes, table)]


def _rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Lines side by side on one baseline, rows from top to bottom."""
    rows: list[list[int]] = []
    for line in sorted(range(len(boxes)), key=lambda each: boxes[each].baseline):
        if rows and boxes[line].baseline - boxes[rows[-1][0]].baseline < _SAME_ROW * boxes[line].size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: boxes[line].left) for row in rows]


def _distance(boxes: Sequence[Box], upper: Sequence[int], lower: Sequence[int]) -> float:
    return boxes[lower[0]].baseline - boxes[upper[0]].baseline


def _is_tabular(boxes: Sequence[Box], table: Sequence[Sequence[int]]) -> bool:
    widths = [boxes[line].width / boxes[line].size for row in table for line in row]
    words, numbers = (sum(width < limit for width in widths) / len(widths) for limit in (_NARROW, _NUMBER))
    return words >= _WORDS or numbers >= _NUMBERS
