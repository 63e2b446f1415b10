"""The look of a picture, sampled from a configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.fonts import Face

_BLACK, _WHITE = 0.0, 255.0


@dataclass(frozen=True)
class Degradation:
    """What camera, print and compression do to a picture."""

    angle: float
    """Rotation in degrees."""
    corners: np.ndarray
    """[4, 2]: shift of each corner in line heights, clockwise from top left."""
    shading: float
    """Brightness of the right end minus that of the left one, 0 to 255."""
    noise: float
    """Standard deviation of the noise, where brightness is 0 to 255."""
    noise_seed: int
    blur: float
    """Standard deviation of the blur in pixels."""
    jpeg_quality: int
    """100: no compression."""


@dataclass(frozen=True)
class Style:
    """Face, size, brightness and margins of a picture, and its degradation.

    A picture in color is read as brightness, so that text and background have a brightness and no color.
    """

    face: Face
    size: int
    """Font size in pixels."""
    ink: int
    """Brightness of the text, 0 to 255."""
    background: int
    margins: tuple[float, float, float, float]
    """Left, top, right, bottom, in line heights."""
    degradation: Degradation | None
    """None: a clean picture."""


def sample_style(config: RenderingConfig, face: Face, generator: np.random.Generator) -> Style:
    """A style within the bounds of a configuration."""
    size = int(generator.integers(config.min_font_size, config.max_font_size, endpoint=True))
    left, top, right, bottom = generator.uniform(0, config.margin, 4).tolist()
    is_dark, is_clean = generator.random(2) < (config.dark_fraction, config.clean_fraction)
    degradation = None if is_clean else _sample_degradation(config, generator)
    background, ink = (_WHITE, _BLACK) if is_clean else _sample_brightness(config.min_contrast, generator)
    if is_dark:
        background, ink = _WHITE - background, _WHITE - ink
    return Style(face, size, round(ink), round(background), (left, top, right, bottom), degradation)


def _sample_brightness(min_contrast: float, generator: np.random.Generator) -> tuple[float, float]:
    """Brightness of a light background and of darker text."""
    difference = min_contrast * _WHITE
    background = generator.uniform(max(_WHITE / 2, difference), _WHITE)
    return background, generator.uniform(_BLACK, background - difference)


def _sample_degradation(config: RenderingConfig, generator: np.random.Generator) -> Degradation:
    return Degradation(
        angle=generator.uniform(-config.rotation, config.rotation),
        corners=generator.uniform(-config.perspective, config.perspective, (4, 2)),
        shading=generator.uniform(-config.shading, config.shading) * _WHITE,
        noise=generator.uniform(0, config.noise),
        noise_seed=int(generator.integers(2**32)),
        blur=generator.uniform(0, config.blur),
        jpeg_quality=int(generator.integers(config.jpeg_quality, 100, endpoint=True)),
    )
