"""The paragraphs of a page in reading order: lines of text, each with its place and its ink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distilmt.pictures.detection import detect_lines
from distilmt.pictures.geometry import angle_of, inner_quad, lengths, rotated, strip_of
from distilmt.pictures.layout import Box, paragraphs_in_order
from distilmt.pictures.line_ink import Ink, ink_of

_FEW, _SHORT, _MAX_DEVIATION = 4, 4.0, 15.0
"""So many lines have a direction in common; a shorter one, width to height, must have it to so many degrees."""


@dataclass(frozen=True)
class Line:
    """A line of text."""

    quad: np.ndarray
    """[4, 2] float32: its corners (x, y) in pixels of the page, clockwise from the top left of the text."""
    strip: np.ndarray
    """[height, width, 3] uint8: its pixels, upright."""
    ink: Ink


def find_paragraphs(page: np.ndarray, threads: int = 0) -> list[list[Line]]:
    """Find the lines of text of a page.

    Args:
        page: [height, width, 3] uint8, red, green and blue.
        threads: CPU threads; 0: one per core.

    Returns:
        The lines of every paragraph, both in reading order; none if there is no text.

    Raises:
        UserError: a package is missing.
    """
    lines = []
    for quad in _straight(detect_lines(page, threads)):
        strip = strip_of(page, quad)
        if (ink := ink_of(strip)) is not None:
            lines.append(Line(quad, strip, ink))
    if not lines:
        return []
    angle = angle_of(np.stack([line.quad for line in lines]))
    paragraphs = paragraphs_in_order([_box(line, angle) for line in lines])
    return [[lines[index] for index in paragraph] for paragraph in paragraphs]


def _straight(quads: np.ndarray) -> np.ndarray:
    """Lines without short ones across the direction of most others: they are textures of photographs."""
    if len(quads) < _FEW:
        return quads
    angle = angle_of(quads)
    along = rotated(quads[:, 1] - quads[:, 0], -angle)
    widths, heights = lengths(quads).T
    is_straight = np.abs(np.arctan2(along[:, 1], along[:, 0])) < np.radians(_MAX_DEVIATION)
    straight: np.ndarray = quads[is_straight | (widths > _SHORT * heights)]
    return straight


def _box(line: Line, angle: float) -> Box:
    """The place of a line where the page is upright, from its letters."""
    letters = rotated(inner_quad(line.quad, line.ink.box), -angle)  # clockwise from top left
    scale = float(lengths(line.quad[None])[0, 0]) / line.strip.shape[1]
    below = (line.ink.height - line.ink.baseline) * scale
    first_word = line.ink.gaps[0][0] if line.ink.gaps else line.ink.width
    return Box(
        left=float(letters[[0, 3], 0].mean()),
        right=float(letters[[1, 2], 0].mean()),
        baseline=float(letters[[2, 3], 1].mean()) - below,
        size=float(lengths(line.quad[None])[0, 1]),
        first_word=first_word * scale,
    )
