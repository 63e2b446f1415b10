"""Files of pages with translations laid over them: PNG, one a page, or one PDF."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from distilmt.pictures.overlay import overlay
from distilmt.pictures.translate import TranslatedPage

_DPI, _QUALITY = 200, 90


class OverlayFile:
    """Overlays of the pages of one picture or PDF; nothing is there under its name before `finish`."""

    def __init__(self, target: Path, font_file: str | None) -> None:
        """Collect pages for a file.

        Args:
            target: a PDF, or a PNG; if several pages have text, `NAME-1.png`, `NAME-2.png` …
            font_file: as `overlay`.
        """
        self._target, self._font_file = target, font_file
        self._is_pdf = target.suffix.lower() == ".pdf"
        self._pages: dict[int, Path] = {}
        self._has_text = False

    def add(self, page: TranslatedPage) -> None:
        """Write a page beside the target, under a temporary name. A PDF has pages without text too."""
        self._has_text |= bool(page.paragraphs)
        if page.paragraphs or self._is_pdf:
            name = f".{self._target.name}.{1 if self._is_pdf else page.number}.{os.getpid()}.tmp"
            temporary = self._target.with_name(name)
            temporary.parent.mkdir(parents=True, exist_ok=True)
            is_first = temporary not in self._pages.values()
            self._pages[page.number] = temporary
            self._save(overlay(page, self._font_file), temporary, is_first)

    def _save(self, pixels: np.ndarray, path: Path, is_first: bool) -> None:
        from PIL import Image

        image = Image.fromarray(pixels)
        if self._is_pdf:
            image.save(path, "PDF", resolution=_DPI, quality=_QUALITY, append=not is_first)
        else:
            image.save(path, "PNG")

    def finish(self) -> list[Path]:
        """Give the files their names, if there is text.

        Returns:
            Their paths.
        """
        if not self._has_text:
            return []
        if self._is_pdf:
            (temporary,) = set(self._pages.values())
            temporary.replace(self._target)
            return [self._target]
        targets = []
        for number, temporary in self._pages.items():
            name = self._target.name if len(self._pages) == 1 else f"{self._target.stem}-{number}.png"
            targets.append(temporary.replace(self._target.with_name(name)))
        return targets

    def discard(self) -> None:
        """Remove temporary files that are left."""
        for temporary in set(self._pages.values()):
            temporary.unlink(missing_ok=True)
