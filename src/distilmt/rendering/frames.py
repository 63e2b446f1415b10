"""Columns of pixels to the frames that an encoder reads: the same function in training and in use."""

from __future__ import annotations

import numpy as np

_MIN_CONTRAST = 0.1
"""Weaker differences in brightness are not amplified: noise on an empty page stays weak."""


def frames_of(columns: np.ndarray, columns_per_frame: int) -> np.ndarray:
    """Frames of a picture: 0 is its background, 1 its strongest ink, whether text is dark or light.

    Zeros after the end of a picture are therefore more background.

    Args:
        columns: [columns, height] uint8.
        columns_per_frame: columns that one frame holds, side by side.

    Returns:
        [frames, columns_per_frame · height] float32; the last frame ends with zeros.
    """
    width, height = columns.shape
    frames = -(-width // columns_per_frame)
    padded = np.zeros((frames * columns_per_frame, height), np.float32)
    padded[:width] = _normalized(columns)
    return padded.reshape(frames, columns_per_frame * height)


def _normalized(columns: np.ndarray) -> np.ndarray:
    """Difference to the background, [columns, height]: the background is the median, text covers less than half."""
    pixels = columns.astype(np.float32) / 255
    ink = np.median(pixels).astype(np.float32) - pixels
    if ink.sum() < 0:
        ink = -ink
    normalized: np.ndarray = ink / max(float(np.abs(ink).max(initial=0)), _MIN_CONTRAST)
    return normalized
