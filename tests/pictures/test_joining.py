"""Lines of a paragraph as the pictures that a student reads: no sentence ends at a line break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("fontTools")
from helpers.pages_of_text import text_picture
from PIL import Image

from distilmt.config.rendering import RenderingConfig
from distilmt.pictures.joining import joined, sentences
from distilmt.pictures.line_ink import Ink, ink_of
from distilmt.rendering.fonts import faces_of
from distilmt.rendering.renderer import Renderer


def ink(text: str, size: int = 28) -> Ink:
    width = 40 + round(0.62 * size * len(text))
    result = ink_of(np.asarray(text_picture([text], (width, round(1.7 * size)), size, 12, round(0.2 * size))))
    assert result is not None
    return result


def widths(texts: list[str], max_columns: int = 4000) -> list[int]:
    return [len(picture) for picture in sentences(joined([ink(text) for text in texts]), 32, max_columns)]


def test_two_lines_are_one_picture_as_if_they_had_been_one_line() -> None:
    (broken,) = widths(["a girl with a red", "hat sits on a bench"])
    (whole,) = widths(["a girl with a red hat sits on a bench"])
    assert abs(broken - whole) <= 8


def test_a_word_that_was_hyphenated_is_whole_again() -> None:
    (broken,) = widths(["a girl is climb-", "ing into a house"])
    (whole,) = widths(["a girl is climbing into a house"])
    assert abs(broken - whole) <= 8
    (with_dot,), (plain,) = widths(["the end of it."]), widths(["the end of it"])
    assert widths(["the end of it.", "x"])[0] > with_dot > plain  # a full stop is no hyphen


def test_sentences_are_cut_after_full_stops_and_not_after_commas() -> None:
    texts = ["Two dogs run through the park. A", "man throws a ball, and they", "fetch it from the lake. Nobody looks."]
    assert len(widths(texts)) == 3
    assert len(widths(["Two dogs run, through the park"])) == 1
    assert len(widths(["We saw Mr. Smith at the park"])) == 1


@pytest.mark.parametrize("max_columns", [200, 300, 500])
def test_what_is_too_wide_is_cut_between_words(max_columns: int) -> None:
    text = "a very long sentence that goes on and on until it is far too wide"
    parts = widths([text], max_columns)
    assert len(parts) > 1 and max(parts) <= max_columns + 1
    words = sum(widths([word])[0] for word in text.split())
    assert sum(parts) > words / 2


def test_a_text_without_spaces_is_left_to_the_translator() -> None:
    strip = np.full((40, 900), 255, np.uint8)
    strip[10:30, 5:-5] = np.where(np.indices((20, 890))[1] % 6 < 4, 0, 255)
    line = ink_of(strip)
    assert line is not None
    assert len(sentences(joined([line, line]), 32, 300)) == 1


def test_letters_are_as_large_as_in_the_pictures_of_training(tmp_path) -> None:
    """The part of the rows that has ink, in the renderer's pictures and in those of detected lines."""
    from PIL import ImageFont

    font = ImageFont.load_default(20)
    (tmp_path / "default.ttf").write_bytes(font.font_bytes)
    config = replace(RenderingConfig(fonts=[], held_out_fonts=[], dark_fraction=0), clean_fraction=1)
    renderer = Renderer(config, faces_of([str(tmp_path / "default.ttf")], "fonts"), 1)
    text = "A young girl plays with a dog."
    rendered = [ink_rows(renderer.render(text, f"train-{number}")) for number in range(60)]
    detected = [
        ink_rows(line_columns(np.asarray(text_picture([text], (700, 80), size, 20, 9)), 32)) for size in (20, 40)
    ]
    assert abs(np.mean(rendered) - np.mean(detected)) < 1.5
    # Their width is then the same too.
    columns = [len(renderer.render(text, f"train-{number}")) for number in range(60)]
    picture = line_columns(np.asarray(text_picture([text], (700, 80), 40, 20, 9)), 32)
    assert abs(np.mean(columns) / len(picture) - 1) < 0.05


def line_columns(strip: np.ndarray, height: int) -> np.ndarray:
    """The picture of one line."""
    line = ink_of(strip)
    assert line is not None
    (picture,) = sentences(joined([line]), height, 4000)
    return picture


def ink_rows(columns: np.ndarray) -> int:
    return int((columns.min(0) < 128).sum())


def test_the_picture_of_a_line_is_dark_on_white() -> None:
    dark = np.asarray(text_picture(["light letters"], (260, 50), 28, 12, 6, ink=220, background=40))
    columns = line_columns(dark, 32)
    assert columns.dtype == np.uint8 and columns.shape[1] == 32
    assert np.median(columns) == 255 and columns.min() < 128
    colored = np.stack([dark] * 3, -1)
    assert np.abs(line_columns(colored, 32).astype(int) - columns).max() <= 1
    assert ink_of(np.full((20, 50), 255, np.uint8)) is None
    turned = Image.fromarray(dark).rotate(1, fillcolor=40)
    assert abs(len(line_columns(np.asarray(turned), 32)) - len(columns)) < 0.1 * len(columns)
