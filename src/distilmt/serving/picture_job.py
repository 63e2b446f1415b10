"""Pictures and PDFs in the document process, which finds their lines and lets the server translate them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilmt.pictures.reading import is_pdf, pages_of
from distilmt.utils import extras

if TYPE_CHECKING:
    from distilmt.pictures.translate import PageRecord

NAME = "the file"
"""A picture's name in messages to clients."""
NO_TEXT = "no text was found in the picture"
_PACKAGES = ("PIL", "cv2", "fontTools", "onnxruntime", "pypdfium2", "rapidocr")


@dataclass(frozen=True)
class PictureJob:
    """A picture or PDF to translate."""

    content: bytes
    height: int
    """Rows of the pictures of lines that the model reads."""
    max_columns: int
    """Columns of the widest one."""
    is_laid_over: bool = False
    """Whether the translation is laid over the picture."""


@dataclass(frozen=True)
class PictureResult:
    """A translated picture or PDF."""

    pages: list[PageRecord] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """The translation of every page, a paragraph a line."""
    content: bytes = b""
    """The picture with the translation laid over it, if the job wanted it and there is text."""
    suffix: str = ""
    """`.png`; `.pdf` for a PDF and for several pages."""


@dataclass
class _LineTranslator:
    """A `PictureTranslator` whose model is elsewhere."""

    height: int
    max_columns: int
    translate: Callable[[list[np.ndarray]], list[str]]

    def translate_lines(self, lines: Sequence[np.ndarray], beam_size: int | None = None) -> list[str]:
        """Translations of pictures [columns, height] uint8."""
        return self.translate([*lines])


def check_packages() -> None:
    """Check that pictures can be read, without importing what reads them.

    Raises:
        UserError: a package is missing.
    """
    extras.check_packages("serving a model that reads pictures", _PACKAGES, "pages")


def translate_picture(job: PictureJob, translate: Callable[[list[np.ndarray]], list[str]]) -> PictureResult:
    """Translate a picture or PDF.

    Args:
        job: the picture.
        translate: translates pictures of lines [columns, height] uint8.

    Raises:
        UserError: it is damaged, too large or of another format.
    """
    from distilmt.pictures.overlay_files import OverlayFile
    from distilmt.pictures.translate import page_record, translate_pages

    translator = _LineTranslator(job.height, job.max_columns, translate)
    pages = pages_of(job.content, NAME)
    suffix = ""
    if job.is_laid_over:
        pages, suffix = _with_suffix(job.content, pages)
    records, texts = [], []
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / f"translated{suffix or '.png'}"
        overlays = OverlayFile(target, None) if job.is_laid_over else None
        for page in translate_pages(pages, translator, threads=1):
            records.append(page_record(page))
            texts.append(page.text)
            if overlays:
                overlays.add(page)
        written = overlays.finish() if overlays else []
        content = written[0].read_bytes() if written else b""
    return PictureResult(records, texts, content, suffix)


def _with_suffix(content: bytes, pages: Iterator[np.ndarray]) -> tuple[Iterator[np.ndarray], str]:
    """The pages again, and the suffix of the file that can hold them all."""
    first = list(islice(pages, 2))
    return chain(first, pages), ".pdf" if len(first) > 1 or is_pdf(content) else ".png"
