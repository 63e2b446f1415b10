"""Columns of pixels to the frames that an encoder reads: the same function in training and in use."""

from __future__ import annotations

import numpy as np

_MIN_CONTRAST = 0.1
"""Weaker differences in brightness are not amplified: noise on an empty page stays weak."""


def frames_of(columns: np.ndarray, columns_per_frame: int) -> np.ndarray:
    """Frames of a picture: 0 is its background, 1 its strongest ink, whether text is dark or light.

    Zeros after the end of a picture are therefore more background. There are as many of them as `frame_count` needs.

    Args:
        columns: [columns, height] uint8.
        columns_per_frame: columns that one frame holds, side by side.

    Returns:
        [frames, columns_per_frame · height] float32; it ends with zeros.
    """
    width, height = columns.shape
    frames = frame_count(width, height, columns_per_frame)
    padded = np.zeros((frames * columns_per_frame, height), np.float32)
    padded[:width] = _normalized(columns)
    return padded.reshape(frames, columns_per_frame * height)


def frame_count(width: int, height: int, columns_per_frame: int) -> int:
    """Frames of a picture of a size: those of whole squares, so that pictures of similar width are equally long.

    CTranslate2 has no mask for the encoder: only sources of one length make a batch. The number is even, because two
    frames become one position of the encoder.
    """
    in_square = max(2, height // columns_per_frame)
    in_square += in_square % 2
    return -(-width // (in_square * columns_per_frame)) * in_square


def _normalized(columns: np.ndarray) -> np.ndarray:
    """Difference to the background, [columns, height]: the background is the median, text covers less than half."""
    pixels = columns.astype(np.float32) / 255
    ink = np.median(pixels).astype(np.float32) - pixels
    if ink.sum() < 0:
        ink = -ink
    normalized: np.ndarray = ink / max(float(np.abs(ink).max(initial=0)), _MIN_CONTRAST)
    return normalized
