"""The lines of a paragraph side by side, as the student reads them: sentences do not end where lines do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilmt.pictures.line_ink import Ink
from distilmt.rendering.drawing import columns_of

_MARGIN = 0.125
"""In heights of the letters: the mean margin of the renderer, so that letters have the size that the student knows."""
_SPACE, _NO_SPACE = 0.35, 0.1
"""In heights of a line: between the words of two lines, if they have no spaces; in scripts without spaces."""
_LONG = 8.0
"""Width to height of a line that has spaces if its script has."""
_HYPHEN_WIDTH, _HYPHEN_HEIGHT, _HYPHEN_SHAPE = 0.8, 0.4, 1.25
"""In heights of small letters: the largest hyphen; its least width to height."""
_HYPHEN_ROWS = (0.3, 0.8)
"""Its middle above the baseline, in heights of small letters."""
_DOT_SIZE, _CAPITAL = 0.45, 1.15
"""In heights of small letters: the largest full stop, and the least capital letter."""
_DOT_SHAPE, _DOT_BELOW = 1.35, 0.12
"""Largest height to width of a full stop, and its distance from the baseline in heights of small letters."""
_ABBREVIATION = 3.2
"""In heights of small letters: a shorter word before a dot may be an abbreviation, such as Mr."""
_LEAST_HEIGHT = 0.6
"""Of the height of its paragraph: the least height of the letters of a part."""


@dataclass(frozen=True)
class TextRun:
    """Lines side by side on one baseline."""

    pixels: np.ndarray
    """[height, width] uint8, ink on 0."""
    letters: np.ndarray
    """[height, width] bool."""
    baseline: int
    x_height: int
    gaps: list[tuple[int, int]]
    """First column of every space between words and the column after it."""


def joined(lines: Sequence[Ink]) -> TextRun:
    """Lines one after the other: a space between them, or nothing in place of a hyphen."""
    ascent = max(line.baseline for line in lines)
    descent = max(line.height - line.baseline for line in lines)
    space = _space(lines)
    pixels, letters, gaps = [], [], []
    column = 0
    for number, line in enumerate(lines):
        hyphen = _hyphen(line) if number + 1 < len(lines) else 0
        width = line.width - hyphen
        gap = 0 if hyphen else space if number + 1 < len(lines) else 0
        rows = ((ascent - line.baseline, descent - line.height + line.baseline), (0, gap))
        pixels.append(np.pad(line.pixels[:, :width], rows))
        letters.append(np.pad(line.letters[:, :width], rows))
        gaps += [(a + column, b + column) for a, b in line.gaps if b <= width]
        if gap:
            gaps.append((column + width, column + width + gap))
        column += width + gap
    x_height = round(float(np.median([line.x_height for line in lines])))
    return TextRun(np.concatenate(pixels, 1), np.concatenate(letters, 1), ascent, x_height, gaps)


def _space(lines: Sequence[Ink]) -> int:
    """Columns between two lines: as between words; little in a script without spaces."""
    height = float(np.median([line.height for line in lines]))
    if widths := [b - a for line in lines for a, b in line.gaps]:
        return max(1, round(float(np.median(widths))))
    is_long = max(line.width for line in lines) > _LONG * height
    return max(1, round(height * (_NO_SPACE if is_long else _SPACE)))


def _hyphen(line: Ink) -> int:
    """Columns of a hyphen at the end of a line, with the space before it; 0 if there is none."""
    letters = line.letters
    first = _start_of_last_part(letters, line.width)
    rows = np.flatnonzero(letters[:, first:].any(1))
    if not len(rows) or first == 0 or line.width - first > _HYPHEN_WIDTH * line.x_height:
        return 0
    middle = (line.baseline - (rows[0] + rows[-1] + 1) / 2) / line.x_height
    thickness = int(rows[-1] + 1 - rows[0])
    is_flat = thickness <= min(_HYPHEN_HEIGHT * line.x_height, (line.width - first) / _HYPHEN_SHAPE)
    if not is_flat or not _HYPHEN_ROWS[0] < middle < _HYPHEN_ROWS[1]:
        return 0
    before = np.flatnonzero(letters[:, :first].any(0))
    return line.width - int(before[-1]) - 1


def _start_of_last_part(letters: np.ndarray, end: int, start: int = 0) -> int:
    """First column of the ink without an empty column that ends before a column."""
    empty = np.flatnonzero(~letters[:, start:end].any(0))
    return start + int(empty[-1]) + 1 if len(empty) else start


def sentences(run: TextRun, height: int, max_columns: int) -> list[np.ndarray]:
    """A paragraph in pictures that a student reads, each a sentence or a part of one.

    It is cut after full stops that a capital letter follows, and where it would be wider than a student's pictures at
    the widest gaps between words.

    Args:
        run: the lines of a paragraph.
        height: rows of a student's pictures.
        max_columns: columns of its widest picture.

    Returns:
        [columns, height] uint8 each, dark on white.
    """
    stops = [gap for number, gap in enumerate(run.gaps) if _is_full_stop(run, number)]
    widest = math.floor(max_columns * _height_with_margins(run.letters) / height - 2 * _MARGIN * run.letters.shape[0])
    parts = [part for part in _between(stops, run.letters.shape[1]) if part[1] > part[0]]
    narrow = [each for part in parts for each in _narrow_parts(run, *part, max(widest, 1))]
    inked = [(run.pixels[:, a:b], run.letters[:, a:b]) for a, b in narrow if run.letters[:, a:b].any()]
    return [_columns(pixels, letters, height, max_columns) for pixels, letters in inked]


def _between(gaps: Sequence[tuple[int, int]], width: int) -> list[tuple[int, int]]:
    """First and last column of the parts between gaps."""
    edges = [0, *(edge for gap in gaps for edge in gap), width]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _is_full_stop(run: TextRun, number: int) -> bool:
    """Whether a dot on the baseline ends a word before a gap, and a capital letter begins the word after it."""
    start, end = run.gaps[number]
    word = run.gaps[number - 1][1] if number else 0
    dot = _start_of_last_part(run.letters, start, word)
    rows = np.flatnonzero(run.letters[:, dot:start].any(1))
    size = _DOT_SIZE * run.x_height
    if not len(rows) or start - dot > size or dot - word < _ABBREVIATION * run.x_height:
        return False
    below, high = rows[-1] + 1 - run.baseline, rows[-1] + 1 - rows[0]
    # A comma is higher than wide, and ends below the baseline.
    is_dot = high <= min(size, _DOT_SHAPE * (start - dot)) and abs(below) <= _DOT_BELOW * run.x_height + 0.5
    return bool(is_dot) and _begins_tall(run, end)


def _begins_tall(run: TextRun, first: int) -> bool:
    """Whether the letter that begins at a column is a capital, or another tall one."""
    empty = np.flatnonzero(~run.letters[:, first:].any(0))
    last = first + int(empty[0]) if len(empty) else run.letters.shape[1]
    rows = np.flatnonzero(run.letters[:, first:last].any(1))
    return len(rows) > 0 and run.baseline - int(rows[0]) >= _CAPITAL * run.x_height


def _narrow_parts(run: TextRun, first: int, last: int, widest: int) -> list[tuple[int, int]]:
    """A part cut at the widest gaps, not far from equal lengths, until no part is wider than allowed."""
    if last - first <= widest:
        return [(first, last)]
    target = first + (last - first) / math.ceil((last - first) / widest)
    inside = [(a, b) for a, b in run.gaps if first < a and b < last and a - first <= widest]
    if not inside:
        return [(first, last)]  # the translator cuts where the least ink is
    a, b = max(inside, key=lambda gap: gap[1] - gap[0] - abs(gap[0] - target) / widest * run.letters.shape[0])
    return [(first, a), *_narrow_parts(run, b, last, widest)]


def _columns(pixels: np.ndarray, letters: np.ndarray, height: int, max_columns: int) -> np.ndarray:
    """[columns, height] uint8 of ink [rows, columns], with the renderer's margins around it."""
    from PIL import Image

    rows, columns = np.flatnonzero(letters.any(1)), np.flatnonzero(letters.any(0))
    # A line of dots or dashes alone stays one: its letters are not enlarged to the full height.
    top = max(0, int(min(rows[0], rows[-1] + 1 - _LEAST_HEIGHT * letters.shape[0])))
    bottom, left, right = int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if (right - left) * height > (max_columns - height) * (bottom - top) * (1 + 2 * _MARGIN):
        top, bottom = 0, letters.shape[0]  # as large as the whole paragraph, for which it was cut
    margin = round(_MARGIN * (bottom - top))
    image = Image.fromarray(np.pad(255 - pixels[top:bottom, left:right], margin, constant_values=255))
    return columns_of(image, height)


def _height_with_margins(letters: np.ndarray) -> float:
    return float(letters.shape[0] * (1 + 2 * _MARGIN))
