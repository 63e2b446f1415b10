"""The ink of a line of text: how much darker or lighter than its background each pixel of its strip is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

_MIN_CONTRAST = 20
"""Of 255: less is no text."""
_IS_INK = 0.4
"""Fraction of the contrast from which a pixel belongs to a letter."""
_CORE = 0.3
"""Fraction of the most ink in a row, from which a row is between the baseline and the height of small letters."""
_WORD_GAP = 0.2
"""In heights of the line: least space between words."""
_MIN_SPECK = 0.05
"""In heights of the line: smaller parts are noise."""
_RULE_LENGTH, _RULE_THICKNESS = 0.6, 0.15


@dataclass(frozen=True)
class Ink:
    """The ink of a line, cut to its letters."""

    pixels: np.ndarray
    """[height, width] uint8: 0 is background."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the letters in fractions of the strip."""
    baseline: int
    """Row on which the letters stand."""
    x_height: int
    """Rows from the top of small letters to the baseline."""
    gaps: tuple[tuple[int, int], ...]
    """First column of every space between words and the column after it."""
    threshold: float
    """From which value on a pixel belongs to a letter."""

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def letters(self) -> np.ndarray:
        """[height, width] bool: where a letter is."""
        return self.pixels > self.threshold


def ink_of(strip: np.ndarray) -> Ink | None:
    """The ink of the strip of a line, without what the strip has of lines above and below it.

    Args:
        strip: [height, width] or [height, width, 3] uint8, dark on light or light on dark.

    Returns:
        None if there is none.
    """
    pixels = _contrasting(strip)
    threshold = _IS_INK * _contrast(pixels)
    if threshold < _IS_INK * _MIN_CONTRAST:
        return None
    letters = (pixels > threshold).astype(np.uint8)
    core = _core(letters)
    letters = _without_neighbors(letters, core)
    rows, columns = np.flatnonzero(letters.any(1)), np.flatnonzero(letters.any(0))
    if not len(rows):
        return None
    # What is around the letters is their soft edge; all else is background.
    pixels = np.where(cv2.dilate(letters, np.ones((3, 3), np.uint8)) > 0, pixels, 0)
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = letters.shape
    baseline = int(np.clip(core[1], top + 1, bottom) - top)
    return Ink(
        pixels[top:bottom, left:right],
        (left / width, top / height, right / width, bottom / height),
        baseline,
        max(1, min(core[1] - core[0], baseline)),
        _gaps(letters[top:bottom, left:right]),
        threshold,
    )


def _contrasting(strip: np.ndarray) -> np.ndarray:
    """Ink [height, width] uint8: of brightness, or of a color if text and background are equally bright."""
    if strip.ndim == 2:
        return _difference(strip)
    gray = _difference(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY))
    colors = [_difference(strip[..., channel]) for channel in range(3)]
    best = max(colors, key=_contrast)
    return best if _contrast(best) > 2 * _contrast(gray) else gray


def _difference(gray: np.ndarray) -> np.ndarray:
    """Difference to the background, which may change along the line; text covers less than half."""
    pixels = gray.astype(np.float32)
    ink = _background(pixels) - pixels
    if ink.sum() < 0:
        ink = -ink
    return ink.clip(0, 255).astype(np.uint8)


def _background(pixels: np.ndarray) -> np.ndarray:
    """Brightness of the background of every column, [width]: medians of pieces, and a line through them."""
    height, width = pixels.shape
    count = max(1, round(width / (4 * height)))
    edges = np.linspace(0, width, count + 1).round().astype(int)
    medians = [float(np.median(pixels[:, a:b])) for a, b in pairwise(edges)]
    overall = float(np.median(pixels))
    # A piece full of heavy letters has their brightness as its median: it does not count.
    spread = max(8.0, 2.0 * float(np.median(np.abs(np.array(medians) - overall))))
    near = [m if abs(m - overall) <= spread + 24 else overall for m in medians]
    result: np.ndarray = np.interp(np.arange(width), (edges[:-1] + edges[1:]) / 2, near).astype(np.float32)
    return result


def _contrast(ink: np.ndarray) -> float:
    """Typical value of the strongest ink: the mean of its strongest half percent."""
    count = max(1, ink.size // 200)
    return float(np.partition(ink.ravel(), -count)[-count:].mean())


def _core(letters: np.ndarray) -> tuple[int, int]:
    """First row of the small letters and the row after the baseline."""
    profile = letters.sum(1)
    height = len(profile)
    middle = slice(height // 6, max(height // 6 + 1, height - height // 6))
    strongest = int(np.argmax(profile[middle])) + height // 6
    is_core = profile >= _CORE * profile[strongest]
    first = last = strongest
    while first > 0 and is_core[first - 1]:
        first -= 1
    while last + 1 < height and is_core[last + 1]:
        last += 1
    return first, last + 1


def _without_neighbors(letters: np.ndarray, core: tuple[int, int]) -> np.ndarray:
    """Letters without parts of neighboring lines at the edges, without rules, borders and specks."""
    height, width = letters.shape
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(letters, connectivity=8)
    _, top, wide, high, area = statistics.T.astype(int)
    bottom = top + high
    is_above = (top == 0) & (bottom <= core[0] + 1)
    is_below = (bottom == height) & (top >= core[1] - 1)
    is_rule = (wide > _RULE_LENGTH * width) & (high < _RULE_THICKNESS * height) & (width > 3 * height)
    is_border = (top == 0) & (bottom == height) & (wide < _RULE_THICKNESS * height)
    is_speck = area < max(2.0, (_MIN_SPECK * height) ** 2)
    is_letter = ~(is_above | is_below | is_rule | is_border | is_speck)
    is_letter[0] = False  # the background
    result: np.ndarray = is_letter[labels].astype(np.uint8)
    return result


def _gaps(letters: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Spaces between words: columns without ink, wide enough."""
    is_empty = np.concatenate([[False], ~letters.any(0), [False]])
    edges = np.flatnonzero(np.diff(is_empty.astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return tuple((a, b) for a, b in pairs if b - a >= _WORD_GAP * letters.shape[0])
