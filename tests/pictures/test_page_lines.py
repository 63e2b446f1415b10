"""Whole pages: lines, paragraphs, columns and tables of rendered pages, upright, skewed and upside down."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rapidocr")
from helpers.pages_of_text import text_picture, texture, write
from PIL import Image

from distilmt.pictures.joining import joined, sentences
from distilmt.pictures.page_lines import find_paragraphs

LEFT = ["Two young men are outside near", "many bushes and talk about the", "weather of the last week."]
RIGHT = ["A little girl climbs into a large", "wooden playhouse while her two", "brothers wait below."]


def two_columns() -> Image.Image:
    image = text_picture(["What happened today"], (860, 300), font_size=34, left=30, top=20)
    write(image, LEFT, 20, 30, 110)
    write(image, RIGHT, 20, 450, 110)
    return image


def read(image: Image.Image) -> list[list[np.ndarray]]:
    """Centers of the lines of every paragraph."""
    page = np.asarray(image.convert("RGB"))
    return [[line.quad.mean(0) for line in lines] for lines in find_paragraphs(page, 1)]


@pytest.mark.parametrize("turn", [0, 3, 180, 90])
def test_columns_below_a_heading(turn: int) -> None:
    image = two_columns()
    turned = image.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    paragraphs = read(turned)
    assert [len(lines) for lines in paragraphs] == [1, 3, 3]
    # Where they are on the page before it was turned.
    radians = np.radians(turn)
    back = np.array([(np.cos(radians), np.sin(radians)), (-np.sin(radians), np.cos(radians))])
    middle, turned_middle = np.array(image.size) / 2, np.array(turned.size) / 2
    places = [(np.mean(lines, 0) - turned_middle) @ back + middle for lines in paragraphs]
    assert places[0][1] < 80 < places[1][1] and places[1][0] < 400 < places[2][0]
    for lines in paragraphs:
        rows = [((center - turned_middle) @ back + middle)[1] for center in lines]
        assert rows == sorted(rows)


def test_a_table_is_read_row_by_row() -> None:
    image = Image.new("L", (560, 240), 255)
    write(image, ["Bread", "Strawberry jam", "Milk", "Peppermint tea"], 20, 30, 30, 1.9)
    write(image, ["2.40", "3.15", "1.09", "2.75"], 20, 420, 30, 1.9)
    paragraphs = read(image)
    assert [len(lines) for lines in paragraphs] == [1] * 8
    assert [lines[0][0] < 300 for lines in paragraphs] == [True, False] * 4
    rows = [lines[0][1] for lines in paragraphs]
    assert all(lower > upper + 20 for upper, lower in zip(rows[::2], rows[2::2], strict=False))


def test_the_pictures_of_a_paragraph_read_across_its_line_breaks() -> None:
    (paragraph,) = find_paragraphs(np.asarray(text_picture(LEFT, (480, 160), 24, 20, 20).convert("RGB")), 1)
    (picture,) = sentences(joined([line.ink for line in paragraph]), 32, 2048)
    assert 900 < len(picture) < 1500  # 80 characters


def test_light_on_dark_is_read_as_dark_on_light() -> None:
    pictures = []
    for ink, background in ((0, 255), (255, 0)):
        image = text_picture(LEFT, (480, 160), 24, 20, 20, ink=ink, background=background)
        (lines,) = find_paragraphs(np.asarray(image.convert("RGB")), 1)
        pictures.append(sentences(joined([line.ink for line in lines]), 32, 2048)[0])
    assert abs(len(pictures[0]) - len(pictures[1])) < 0.1 * len(pictures[0])
    assert np.median(pictures[0]) == np.median(pictures[1]) == 255


@pytest.mark.parametrize("kind", ["white", "noise", "photograph"])
def test_no_lines_where_there_is_no_text(kind: str) -> None:
    assert find_paragraphs(np.asarray(texture(kind).convert("RGB")), 1) == []
