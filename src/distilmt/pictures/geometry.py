"""Quadrilaterals on a page: their sides, their angles, and the pixels in them."""

from __future__ import annotations

import cv2
import numpy as np

_MAX_STRIP = 16_384
"""Pixels of the longer side of a strip."""


def lengths(quads: np.ndarray) -> np.ndarray:
    """Lengths of the sides in and across the reading direction, [quads, 2]: the means of opposite sides."""
    sides = np.linalg.norm(np.roll(quads, -1, 1) - quads, axis=2)  # top, right, bottom, left
    result: np.ndarray = (sides[:, :2] + sides[:, 2:]) / 2
    return result


def angle_of(quads: np.ndarray) -> float:
    """Direction of most lines in radians, weighted by their length: 0 to the right, growing clockwise."""
    along = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]) / 2
    # Longer lines have a more exact direction: a weighted median around the sum of all.
    total = along.sum(0)
    mean = float(np.arctan2(total[1], total[0]))
    turned = rotated(along, -mean)
    offsets, weights = np.arctan2(turned[:, 1], turned[:, 0]), np.linalg.norm(along, axis=1)
    order = np.argsort(offsets)
    middle = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return mean + float(offsets[order[min(int(middle), len(order) - 1)]])


def rotated(points: np.ndarray, angle: float) -> np.ndarray:
    """Points [..., 2] rotated about the origin, clockwise on the page for a positive angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    result: np.ndarray = points @ np.array([(cosine, sine), (-sine, cosine)], np.float32)
    return result


def quad_of(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Corners [4, 2] of a box, clockwise from top left."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def inner_quad(quad: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Corners on the page of a box in the strip of a quadrilateral: left, top, right, bottom in fractions of it."""
    matrix = cv2.getPerspectiveTransform(quad_of(0, 0, 1, 1), quad.astype(np.float32))
    result: np.ndarray = cv2.perspectiveTransform(quad_of(*box)[None], matrix)[0]
    return result


def strip_of(page: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The pixels of a quadrilateral as an upright rectangle, as large as it is on the page."""
    width, height = lengths(quad[None])[0]
    scale = min(1.0, _MAX_STRIP / max(width, height, 1.0))
    size = (max(1, round(float(width * scale))), max(1, round(float(height * scale))))
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), quad_of(0, 0, *size))
    return cv2.warpPerspective(page, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
