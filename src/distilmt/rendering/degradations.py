"""Degradation of a picture: geometry, blur, noise, compression."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np

from distilmt.rendering.styles import Degradation

if TYPE_CHECKING:
    from PIL import Image

_MAX_RISE = 0.5
"""How far the ends of a rotated line may rise, in line heights."""


def degrade(image: Image.Image, background: int, degradation: Degradation) -> Image.Image:
    """A picture in shades of gray after its degradation; rotation and perspective may make it larger.

    Args:
        image: the clean picture.
        background: brightness of what comes into sight beside it.
        degradation: what happens to it.
    """
    from PIL import ImageFilter

    image = _warped(image, background, degradation)
    if degradation.blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(degradation.blur))
    return _compressed(_with_noise(image, degradation), degradation.jpeg_quality)


def _warped(image: Image.Image, background: int, degradation: Degradation) -> Image.Image:
    """Rotation about the center and shifted corners, in one interpolation."""
    from PIL import Image

    width, height = image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)  # [4, 2]
    warped = _rotated(corners, degradation.angle) + degradation.corners * height
    warped -= warped.min(0)
    if np.allclose(warped, corners):
        return image
    columns, rows = np.ceil(warped.max(0)).astype(int).tolist()
    return image.transform(
        (columns, rows),
        Image.Transform.PERSPECTIVE,
        _coefficients(warped, corners).tolist(),
        Image.Resampling.BILINEAR,
        fillcolor=background,
    )


def _rotated(corners: np.ndarray, angle: float) -> np.ndarray:
    """Corners [4, 2] rotated by an angle in degrees, or by less where the line is long."""
    width, height = corners[2]
    largest = math.asin(min(1.0, _MAX_RISE * height / width))
    radians = min(max(math.radians(angle), -largest), largest)
    cosine, sine = math.cos(radians), math.sin(radians)
    center = corners.mean(0)
    rotated: np.ndarray = (corners - center) @ np.array([(cosine, -sine), (sine, cosine)]) + center
    return rotated


def _coefficients(points: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The eight numbers of the perspective map from points [4, 2] to their images [4, 2]."""
    equations = []
    for (x, y), (u, v) in zip(points, images, strict=True):
        equations.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        equations.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    return np.linalg.solve(np.array(equations), images.reshape(8))


def _with_noise(image: Image.Image, degradation: Degradation) -> Image.Image:
    """Shading along the line, and noise."""
    from PIL import Image

    pixels = np.asarray(image, dtype=np.float32)  # [height, width]
    pixels = pixels + np.linspace(-0.5, 0.5, pixels.shape[1], dtype=np.float32) * degradation.shading
    noise = np.random.default_rng(degradation.noise_seed).standard_normal(pixels.shape, dtype=np.float32)
    pixels += noise * degradation.noise
    return Image.fromarray(np.rint(pixels.clip(0, 255)).astype(np.uint8))


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    from PIL import Image

    if quality == 100:
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)
