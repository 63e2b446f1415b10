"""Translation of the pages of pictures and PDFs with a student that reads pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypedDict

import numpy as np

from distilmt.inference.base import join_translations
from distilmt.pictures.joining import joined, sentences
from distilmt.pictures.page_lines import Line, find_paragraphs
from distilmt.utils import progress


class PictureTranslator(Protocol):
    """What translates pictures of lines: `inference.image_translator.ImageTranslator`."""

    height: int
    """Rows of a picture that it reads."""
    max_columns: int
    """Columns of the widest one."""

    def translate_lines(self, lines: Sequence[np.ndarray], beam_size: int | None = None) -> list[str]:
        """Translations of pictures [columns, height] uint8."""


@dataclass(frozen=True)
class TranslatedParagraph:
    """A paragraph of a page."""

    lines: list[Line]
    translation: str


@dataclass(frozen=True)
class TranslatedPage:
    """A page with the translations of its paragraphs, in reading order; none where there is no text."""

    number: int
    """From 1."""
    pixels: np.ndarray
    """[height, width, 3] uint8."""
    paragraphs: list[TranslatedParagraph]

    @property
    def text(self) -> str:
        """The translations, a paragraph a line."""
        return "".join(f"{paragraph.translation}\n" for paragraph in self.paragraphs)


class LineRecord(TypedDict):
    """A line of text in pixels of its page."""

    box: list[int]
    """Left, top, right, bottom of the rectangle around it."""
    quad: list[list[float]]
    """Corners (x, y), clockwise from the top left of the text as it is read."""


class ParagraphRecord(TypedDict):
    """A paragraph: one translation of all its lines."""

    translation: str
    box: list[int]
    lines: list[LineRecord]


class PageRecord(TypedDict):
    """A page of a picture or PDF."""

    page: int
    """From 1."""
    width: int
    height: int
    paragraphs: list[ParagraphRecord]


def translate_pages(
    pages: Iterable[np.ndarray], translator: PictureTranslator, beam_size: int | None = None, threads: int = 0
) -> Iterator[TranslatedPage]:
    """Translate pages one at a time.

    Args:
        pages: [height, width, 3] uint8 each.
        translator: a model that reads pictures.
        beam_size: 1 is greedy; None: that of the export.
        threads: CPU threads that look for lines; 0: one per core.

    Raises:
        UserError: a package is missing.
    """
    with progress.task("translating", None, "pages") as task:
        for number, pixels in enumerate(pages, 1):
            yield translate_page(pixels, number, translator, beam_size, threads)
            task.advance()


def translate_page(
    pixels: np.ndarray, number: int, translator: PictureTranslator, beam_size: int | None = None, threads: int = 0
) -> TranslatedPage:
    """Translate a page; arguments and errors as `translate_pages`."""
    paragraphs = find_paragraphs(pixels, threads)
    pictures = [
        sentences(joined([line.ink for line in paragraph]), translator.height, translator.max_columns)
        for paragraph in paragraphs
    ]
    translations = iter(translator.translate_lines([each for per_text in pictures for each in per_text], beam_size))
    texts = [_joined_text(list(islice(translations, len(per_text)))) for per_text in pictures]
    translated = [TranslatedParagraph(p, text) for p, text in zip(paragraphs, texts, strict=True) if text]
    return TranslatedPage(number, pixels, translated)


def _joined_text(translations: Sequence[str]) -> str:
    return join_translations([line for text in translations if (line := " ".join(text.split()))])


def page_record(page: TranslatedPage) -> PageRecord:
    """A page as JSON: places in pixels, without its pixels."""
    height, width = page.pixels.shape[:2]
    return {
        "page": page.number,
        "width": width,
        "height": height,
        "paragraphs": [
            {
                "translation": paragraph.translation,
                "box": _box([line.quad for line in paragraph.lines]),
                "lines": [
                    {"box": _box([line.quad]), "quad": np.round(line.quad.astype(float), 1).tolist()}
                    for line in paragraph.lines
                ],
            }
            for paragraph in page.paragraphs
        ],
    }


def _box(quads: Sequence[np.ndarray]) -> list[int]:
    points = np.concatenate(quads)
    left, top = np.floor(points.min(0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(0)).astype(int).tolist()
    return [left, top, right, bottom]
