"""Lines of text are found wherever they are and however they lie; where there is no text, none is found."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rapidocr")
from helpers.pages_of_text import text_picture, texture
from PIL import Image

from distilmt.pictures.detection import detect_lines
from distilmt.pictures.geometry import angle_of, lengths

LINES = ["Two men are outside near many bushes.", "A little girl climbs into a", "wooden playhouse."]
PAGE = text_picture(LINES, (560, 200), font_size=22, left=40, top=40)


def quads_of(image: Image.Image) -> np.ndarray:
    return detect_lines(np.asarray(image.convert("RGB")), threads=1)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_page_that_is_turned_is_read_in_its_own_direction(turn: int) -> None:
    quads = quads_of(PAGE.rotate(turn, expand=True, fillcolor=255))
    assert len(quads) == 3
    degrees = np.degrees(angle_of(quads))
    assert abs((degrees + turn + 180) % 360 - 180) < 2
    widths = lengths(quads)[:, 0]
    assert widths.max() > 300 and (lengths(quads)[:, 1] < 60).all()


def test_a_skewed_page_has_skewed_lines() -> None:
    quads = quads_of(PAGE.rotate(-3, Image.Resampling.BICUBIC, expand=True, fillcolor=255))
    assert len(quads) == 3 and 2 < np.degrees(angle_of(quads)) < 4


def test_light_text_on_dark_and_text_at_the_very_edge() -> None:
    assert len(quads_of(text_picture(LINES, (560, 200), 22, 40, 40, ink=230, background=30))) == 3
    assert len(quads_of(text_picture(LINES[:1], (420, 30), 22, 0, 0))) == 1


def test_a_long_screenshot_is_read_in_windows() -> None:
    lines = [f"Message number {number}" for number in range(70)]
    quads = quads_of(text_picture(lines, (280, 2560), 20, 20, 20, leading=1.8))
    assert len(quads) == 70
    assert np.diff(np.sort(quads[:, 0, 1])).min() > 20


@pytest.mark.parametrize("kind", ["white", "black", "noise", "gradient", "photograph"])
def test_no_text_is_invented(kind: str) -> None:
    assert len(quads_of(texture(kind))) == 0


def test_tiny_pictures() -> None:
    for size in ((1, 1), (1, 3000), (3000, 1), (7, 9)):
        assert detect_lines(np.zeros((*size, 3), np.uint8), 1).shape == (0, 4, 2)


@pytest.mark.parametrize("size", [(480, 220), (900, 600)])
def test_a_single_large_word_is_text(size: tuple[int, int]) -> None:
    assert len(quads_of(text_picture(["Stop"], size, 190, 20, 0))) == 1
