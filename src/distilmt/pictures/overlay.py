"""A page with its translation laid over the lines of text."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from distilmt.pictures.geometry import quad_of
from distilmt.pictures.page_lines import Line
from distilmt.pictures.translate import TranslatedPage
from distilmt.rendering.fonts import faces_of
from distilmt.rendering.lines import line_of, required_glyphs
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

_logger = logging.getLogger(__name__)
_PACKAGES = (
    "fonts-dejavu-core",
    "fonts-noto-core",
    "fonts-liberation2",
    "fonts-freefont-ttf",
    "fonts-noto-cjk",
    "fonts-wqy-microhei",
    "fonts-wqy-zenhei",
)
"""Debian's packages of fonts; the first one with all characters is used."""
_LARGEST, _SMALLEST, _STEP = 0.75, 7, 0.94
"""Font sizes that are tried: from so much of the height of a line down to so many pixels."""
_MIN_DIFFERENCE = 60
"""Between the brightness of text and background: less is not readable."""


def overlay(page: TranslatedPage, font_file: str | None = None) -> np.ndarray:
    """The page with its translations in place of its text.

    Args:
        page: a translated page.
        font_file: font of the translations; None: an installed one with all characters.

    Returns:
        [height, width, 3] uint8.

    Raises:
        UserError: the font file cannot be read.
    """
    pixels: np.ndarray = page.pixels.copy()
    font_at = _font(frozenset("".join(p.translation for p in page.paragraphs)), font_file)
    for paragraph in page.paragraphs:
        texts, size = _fitted(paragraph.translation, paragraph.lines, font_at)
        for line, text in zip(paragraph.lines, texts, strict=True):
            _lay(pixels, line.quad, _drawing(line, text, font_at(size)))
    return pixels


def _font(characters: frozenset[str], font_file: str | None) -> Callable[[int], Font]:
    """A font with all characters, by size."""
    from PIL import ImageFont

    line = line_of("".join(sorted(characters)))
    for entry in [font_file] if font_file else _PACKAGES:
        try:
            faces = faces_of([entry], "overlay_font")
        except UserError:
            if font_file:
                raise
            continue
        plain = sorted(faces, key=lambda face: (face.style not in ("Regular", "Book"), "Mono" in face.family))
        for face in plain:
            if font_file or required_glyphs(line) <= face.characters:
                return face.at_size
    if any(ord(character) > 0x24F for character in line):
        _logger.warning("no installed font has all characters of the translation: name one with --overlay_font")
    return functools.cache(lambda size: ImageFont.load_default(size))


def _fitted(text: str, lines: Sequence[Line], font_at: Callable[[int], Font]) -> tuple[list[str], int]:
    """A translation broken into the lines of its paragraph, and the largest font size at which it fits."""
    words = text.split(" ") if " " in text else list(text)
    separator = " " if " " in text else ""
    widths = [line.strip.shape[1] * (1 - line.ink.box[0]) for line in lines]
    size = max(_SMALLEST, round(_LARGEST * float(np.median([line.strip.shape[0] for line in lines]))))
    while True:
        texts, is_whole = _filled(words, separator, widths, font_at(size))
        if is_whole or size <= _SMALLEST:
            return texts, size
        size = max(_SMALLEST, int(size * _STEP))


def _filled(words: Sequence[str], separator: str, widths: Sequence[float], font: Font) -> tuple[list[str], bool]:
    """Words in lines of given widths, and whether all have room; the rest stands in the last line."""
    texts: list[str] = []
    position = 0
    for width in widths:
        end = position
        while end < len(words) and font.getlength(separator.join(words[position : end + 1])) <= width:
            end += 1
        texts.append(separator.join(words[position:end]))
        position = end
    if position < len(words):
        last = [texts[-1]] if texts[-1] else []
        texts[-1] = separator.join([*last, *words[position:]])
    return texts, position == len(words)


def _drawing(line: Line, text: str, font: Font) -> np.ndarray:
    """The strip of a line with a text instead of its own, in the colors of both; narrower letters if it is too long."""
    from PIL import Image, ImageDraw

    height, width = line.strip.shape[:2]
    ink, background = _colors(line)
    left = round(line.ink.box[0] * width)
    baseline = round(line.ink.box[1] * height) + line.ink.baseline
    natural = max(width, left + int(np.ceil(font.getlength(text))) + 1)
    image = Image.new("RGB", (min(natural, 8 * width), height), background)
    ImageDraw.Draw(image).text((left, min(baseline, height - 2)), text, ink, font, anchor="ls")
    return np.asarray(image if image.width == width else image.resize((width, height)))


def _colors(line: Line) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Color of the text and of the background of a line."""
    height, width = line.strip.shape[:2]
    top, left = round(line.ink.box[1] * height), round(line.ink.box[0] * width)
    is_letter = np.zeros((height, width), bool)
    letters = line.ink.letters[: height - top, : width - left]
    is_letter[top : top + letters.shape[0], left : left + letters.shape[1]] = letters
    background = np.median(line.strip[~is_letter] if (~is_letter).any() else line.strip.reshape(-1, 3), 0)
    ink = np.median(line.strip[is_letter], 0) if is_letter.any() else 255 - background
    if abs(float(ink.mean()) - float(background.mean())) < _MIN_DIFFERENCE:
        ink = np.full(3, 0 if background.mean() > 127 else 255)
    return _rgb(ink), _rgb(background)


def _rgb(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (round(float(value)) for value in color)
    return red, green, blue


def _lay(pixels: np.ndarray, quad: np.ndarray, strip: np.ndarray) -> None:
    """Put a strip where its line is."""
    first = np.maximum(np.floor(quad.min(0)).astype(int), 0)
    last = np.minimum(np.ceil(quad.max(0)).astype(int) + 1, (pixels.shape[1], pixels.shape[0]))
    width, height = (last - first).tolist()
    if width < 1 or height < 1:
        return
    corners = quad_of(0, 0, strip.shape[1], strip.shape[0])
    matrix = cv2.getPerspectiveTransform(corners, (quad - first).astype(np.float32))
    placed = cv2.warpPerspective(
        strip, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad - first).astype(np.int32), 1)
    region = pixels[first[1] : last[1], first[0] : last[0]]
    region[mask > 0] = placed[mask > 0]
