"""Drawing of one line of text in a style."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distilmt.rendering.styles import Style

if TYPE_CHECKING:
    from PIL import Image

MAX_PICTURE_WIDTH = 60_000
"""Widest picture before it is scaled; JPEG ends at 65,535."""
_ASCENT, _MAX_ASCENT, _MAX_DESCENT = 0.7, 1.5, 0.75
"""In font sizes: the least and the greatest height of the line above its baseline, and its greatest depth below."""


@dataclass(frozen=True)
class LineBox:
    """Size of a picture, and where its text begins."""

    width: int
    height: int
    left: float
    """Column of the origin of the first glyph."""
    baseline: float
    """Row of the baseline."""


def line_box(line: str, style: Style) -> LineBox:
    """The box of a line: the text as a detector of lines would cut it out, and its margins.

    Its height is that of the glyphs, but at least that of a capital letter: a line of dots stays a line of dots.
    """
    left, top, right, bottom = style.face.at_size(style.size).getbbox(line, anchor="ls") if line else (0, 0, 0, 0)
    ascent = min(max(-top, _ASCENT * style.size), _MAX_ASCENT * style.size)
    height = ascent + min(max(bottom, 0), _MAX_DESCENT * style.size)
    before, above, after, below = (margin * height for margin in style.margins)
    width = max(right - left, style.size / 2) + before + after
    return LineBox(math.ceil(width), math.ceil(height + above + below), before - left, above + ascent)


def draw_line(line: str, style: Style, box: LineBox) -> Image.Image:
    """The picture of a line in shades of gray, as large as its box."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (box.width, box.height), style.background)
    if line:
        font = style.face.at_size(style.size)
        ImageDraw.Draw(image).text((box.left, box.baseline), line, style.ink, font, anchor="ls")
    return image


def columns_of(image: Image.Image, height: int, max_columns: int | None = None) -> np.ndarray:
    """A picture of a line in shades of gray, scaled for a student: [columns, height] uint8, from left to right.

    A wider picture than `max_columns` is narrowed.
    """
    columns = max(1, round(image.width * height / image.height))
    columns = columns if max_columns is None else min(columns, max_columns)
    return np.ascontiguousarray(np.asarray(scaled(image, columns, height)).T)


def scaled(image: Image.Image, width: int, height: int) -> Image.Image:
    """A picture in another size: first its width changes, then its height.

    In one call Pillow 13 chooses the order by the sizes, and earlier versions do not: the pixels would differ between
    versions, and from those of the page in a browser.
    """
    return image.resize((width, image.height)).resize((width, height))
