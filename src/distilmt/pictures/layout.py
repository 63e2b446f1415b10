"""The lines of a page as paragraphs, in reading order: columns, tables, headings across columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from distilmt.pictures.tables import table_rows

_SAME_SIZE = 1.35
"""Largest ratio of the sizes of two lines of one paragraph."""
_MAX_LEADING = 2.2
"""In sizes: lines that are further apart do not follow each other."""
_MORE_LEADING, _LONE_LEADING = 1.3, 1.6
"""Leading between paragraphs: in leadings within them, or in sizes where there are but two lines."""
_INDENT = 0.6
_SLACK = 0.4
"""In sizes: how much more than its first word a line leaves free that was broken off on purpose."""
_BULLET = 0.6
"""In sizes: widest first word that is a bullet or number."""
_SAME_WIDTH = 0.8
"""Least ratio of the widths of two columns of one text."""
_NEAR = 3
"""Lines from which the right edge of a text is taken."""


@dataclass(frozen=True)
class Box:
    """A line on a page that was turned upright, in pixels."""

    left: float
    right: float
    baseline: float
    size: float
    """Height of the line with room above and below the letters."""
    first_word: float
    """Width of its first word."""

    @property
    def width(self) -> float:
        """From its first to its last letter."""
        return self.right - self.left

    @property
    def top(self) -> float:
        """Above its letters."""
        return self.baseline - 0.75 * self.size


def paragraphs_in_order(boxes: Sequence[Box]) -> list[list[int]]:
    """Indices of the lines of every paragraph; paragraphs and lines in reading order."""
    tables = table_rows(boxes)
    in_tables = {line for table in tables for row in table for line in row}
    free = [line for line in range(len(boxes)) if line not in in_tables]
    # A unit is read as a whole: a paragraph, or a table row by row, cell by cell.
    units = [[[line] for row in table for line in row] for table in tables]
    units += [[paragraph] for chain in _chains(boxes, free) for paragraph in _paragraphs(boxes, chain)]
    extents = [_extent(boxes, [line for paragraph in unit for line in paragraph]) for unit in units]
    ordered = [paragraph for unit in _reading_order(extents) for paragraph in units[unit]]
    return _continued(boxes, ordered)


def _chains(boxes: Sequence[Box], lines: Sequence[int]) -> list[list[int]]:
    """Lines of a column one below the other: each is the only neighbor of the next one."""
    below = {line: _neighbors(boxes, line, lines, 1) for line in lines}
    above = {line: _neighbors(boxes, line, lines, -1) for line in lines}
    following = {
        line: next_lines[0]
        for line, next_lines in below.items()
        if len(next_lines) == 1 and above[next_lines[0]] == [line]
    }
    starts = [line for line in lines if line not in set(following.values())]
    chains = []
    for start in starts:
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        chains.append(chain)
    return chains


def _neighbors(boxes: Sequence[Box], line: int, lines: Sequence[int], direction: int) -> list[int]:
    """The nearest lines below (1) or above (-1) a line: those of the nearest row that share columns with it."""
    box = boxes[line]
    distances = {
        other: direction * (boxes[other].baseline - box.baseline)
        for other in lines
        if other != line and _overlap(box, boxes[other]) > 0.3 * min(box.width, boxes[other].width)
    }
    near = {other: d for other, d in distances.items() if 0.5 * box.size < d < _MAX_LEADING * box.size}
    closest = min(near.values(), default=0.0)
    return [other for other, distance in near.items() if distance < closest + 0.5 * box.size]


def _overlap(a: Box, b: Box) -> float:
    return min(a.right, b.right) - max(a.left, b.left)


def _paragraphs(boxes: Sequence[Box], chain: Sequence[int]) -> list[list[int]]:
    """A column cut into its paragraphs."""
    column = [boxes[line] for line in chain]
    leadings = [b.baseline - a.baseline for a, b in pairwise(column)]
    usual = float(np.percentile(leadings, 25)) if len(leadings) > 1 else 0.0
    paragraphs = [[chain[0]]]
    for row in range(1, len(chain)):
        allowed = _MORE_LEADING * usual if usual else _LONE_LEADING * column[row].size
        if leadings[row - 1] > allowed or _begins(column, row - len(paragraphs[-1]), row):
            paragraphs.append([])
        paragraphs[-1].append(chain[row])
    return paragraphs


def _begins(column: Sequence[Box], start: int, row: int) -> bool:
    """Whether a line of a column begins a paragraph, by its size, its indent, or the space that was left before it.

    Args:
        column: lines from top to bottom.
        start: number of the line with which the paragraph before it begins.
        row: number of the line, after `start`.
    """
    before, line = column[row - 1], column[row]
    sizes = sorted((before.size, line.size))
    if sizes[1] > _SAME_SIZE * sizes[0]:
        return True
    if max(before.first_word, line.first_word) < _BULLET * line.size and abs(before.left - line.left) < line.size / 2:
        return True  # two items of a list
    # The text may flow around a picture: the edge is that of the lines before, or of those that follow.
    earlier, later = column[max(start, row - 3) : row - 1], column[row : row + _NEAR]
    near = [lines for lines in (earlier, later if len(later) > 1 or not earlier else ()) if lines]
    if _is_centered(before, line):
        space = min(max(box.width for box in lines) for lines in near) - before.width
    else:
        space = min(max(box.right for box in lines) for lines in near) - before.right
        if _is_indented(column, row):
            return True
    return space > line.first_word + _SLACK * line.size


def _is_centered(a: Box, b: Box) -> bool:
    return abs(a.left - b.left) > a.size and abs(a.left + a.right - b.left - b.right) < a.size


def _is_indented(column: Sequence[Box], row: int) -> bool:
    """Whether a line begins further right than the line before it and, if there is one, the line after it."""
    before, line = column[row - 1], column[row]
    is_list = before.first_word < _BULLET * line.size  # the text of an item stands below itself
    lefts = [box.left for box in column[row - 1 : row + 2] if box is not line]
    return line.left > max(lefts) + _INDENT * line.size and not is_list


def _continued(boxes: Sequence[Box], paragraphs: Sequence[list[int]]) -> list[list[int]]:
    """Paragraphs, those that go on in the next column as one."""
    joined: list[list[int]] = []
    for paragraph in paragraphs:
        if joined and _continues([boxes[line] for line in joined[-1]], [boxes[line] for line in paragraph]):
            joined[-1] = joined[-1] + paragraph
        else:
            joined.append(list(paragraph))
    return joined


def _continues(upper: Sequence[Box], lower: Sequence[Box]) -> bool:
    """Whether the last line of a column is full, and the first one of the next column is not indented."""
    last, first = upper[-1], lower[0]
    if min(len(upper), len(lower)) < 2 or first.left < last.right or first.baseline > last.baseline - last.size:
        return False
    widths = sorted(max(box.width for box in lines) for lines in (upper[-_NEAR:], lower[:_NEAR]))
    sizes = sorted((last.size, first.size))
    is_alike = widths[0] > _SAME_WIDTH * widths[1] and sizes[1] < _SAME_SIZE * sizes[0]
    is_full = max(box.right for box in upper[-_NEAR:]) - last.right < first.first_word + _SLACK * first.size
    return is_alike and is_full and first.left < lower[1].left + _INDENT * first.size


Extent = tuple[float, float, float, float]


def _extent(boxes: Sequence[Box], lines: Sequence[int]) -> Extent:
    """Left, top, right and bottom of lines."""
    members = [boxes[line] for line in lines]
    lefts, rights = [box.left for box in members], [box.right for box in members]
    return min(lefts), min(box.top for box in members), max(rights), max(box.baseline for box in members)


def _reading_order(extents: Sequence[Extent]) -> list[int]:
    """Units in reading order: down a column, then the next one; what spans columns is read where it stands."""
    unread = sorted(range(len(extents)), key=lambda unit: (extents[unit][1], extents[unit][0]))
    earlier = {
        unit: {other for other in unread if other != unit and _precedes(extents, other, unit)} for unit in unread
    }
    order: list[int] = []
    while unread:
        remaining = set(unread)
        unit = next((unit for unit in unread if not earlier[unit] & remaining), unread[0])
        order.append(unit)
        unread.remove(unit)
    return order


def _precedes(extents: Sequence[Extent], a: int, b: int) -> bool:
    """Whether a unit is read before another: it is above it, or in a column left of it that nothing separates."""
    first, second = extents[a], extents[b]
    if _share_columns(first, second):
        return first[1] < second[1]
    if first[0] > second[0]:
        return second[1] > first[3] and not _has_column(extents, second, first)
    if first[1] > second[3] and not _has_column(extents, first, second):
        return False
    upper, lower = sorted((first, second), key=lambda extent: extent[1])
    between = (other for other in extents if upper[1] < other[1] and other[3] <= lower[3] and other[1] < lower[1])
    separated = any(_share_columns(other, first) and _share_columns(other, second) for other in between)
    return not separated


def _has_column(extents: Sequence[Extent], below: Extent, right: Extent) -> bool:
    """Whether what is below a unit is in a column that reaches up beside it: a page number at the edge is not."""
    return any(
        _share_columns(other, below) and not _share_columns(other, right) and other[1] <= right[3]
        for other in extents
        if other is not below
    )


def _share_columns(a: Extent, b: Extent) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.1 * min(a[2] - a[0], b[2] - b[0])
