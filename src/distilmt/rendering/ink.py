"""Whether a picture has text at all, and how a picture that is too wide is cut."""

from __future__ import annotations

import numpy as np

_MIN_INK = 0.1
"""Least difference in brightness, 0 to 1, between the background and 3 × 3 pixels of text."""
_MIN_CORRELATION = 0.2
"""Least correlation of neighboring pixels: strokes are wider than a pixel, noise is not."""


def has_ink(columns: np.ndarray) -> bool:
    """Whether something may be written in a picture: it is not of one brightness, or of noise and shading alone.

    Args:
        columns: [columns, height] uint8.
    """
    if columns.size == 0 or columns.min() == columns.max():
        return False
    pixels = columns.astype(np.float32) / 255
    difference = pixels - np.median(pixels)
    return _strongest_spot(difference) >= _MIN_INK and _correlation(difference) >= _MIN_CORRELATION


def _strongest_spot(difference: np.ndarray) -> float:
    """Greatest mean of 3 × 3 pixels, of any sign."""
    padded = np.pad(difference, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    spots = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return float(np.abs(spots).max()) / 9


def _correlation(difference: np.ndarray) -> float:
    """Correlation of each pixel with the next one, in the direction in which it is greater."""
    power = float((difference * difference).mean())
    along = (difference[1:] * difference[:-1], difference[:, 1:] * difference[:, :-1])
    return max(float(product.mean()) for product in along if product.size) / power


def split_columns(columns: np.ndarray, max_columns: int) -> list[np.ndarray]:
    """A picture in parts of at most `max_columns` columns, cut where the least ink is, near the middle.

    Args:
        columns: [columns, height] uint8.
        max_columns: widest part, at least 2.
    """
    width = len(columns)
    if width <= max_columns:
        return [columns]
    cut = _emptiest_column(columns, max(1, width // 4), -(-3 * width // 4))
    return [part for side in (columns[:cut], columns[cut:]) for part in split_columns(side, max_columns)]


def _emptiest_column(columns: np.ndarray, first: int, last: int) -> int:
    """The column between two in the middle of the widest gap without ink, or that with the least ink near it."""
    height = columns.shape[1]
    ink = np.abs(columns.astype(np.float32) - np.median(columns)).sum(1)  # [columns]
    window = max(1, height // 4)
    near = np.convolve(ink, np.ones(window, np.float32), "same")[first:last]
    distance = np.abs(np.arange(first, last) - len(columns) / 2) / len(columns)
    return first + int((near + distance * height).argmin())
