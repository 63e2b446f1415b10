"""Translation of one picture or PDF, which is read in another process, with a server's model and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from distilmt.serving.catalog import PairModels
from distilmt.serving.document_model import wait_for
from distilmt.serving.errors import ApiError
from distilmt.serving.picture_job import PictureJob
from distilmt.serving.service import Service

_TURN = 64  # lines that are translated at a time


class PictureModel:
    """Translates the lines of one picture. Created on the event loop, called on a thread."""

    def __init__(self, service: Service, pair: PairModels) -> None:
        """Translate with the main model of `pair`."""
        self.service, self.model = service, pair.main
        self._loop = asyncio.get_running_loop()
        self._lines = 0

    async def job(self, content: bytes, is_laid_over: bool) -> PictureJob:
        """A job for the process, with the sizes that the model reads.

        Raises:
            ApiError: the model cannot be loaded (503).
        """
        async with self.service.model_pool.use_for_pictures(self.model) as loaded:
            translator = loaded.translator
            return PictureJob(content, translator.height, translator.max_columns, is_laid_over)

    def translate(self, lines: list[np.ndarray], check: Callable[[], None]) -> list[str]:
        """Translations of pictures of lines.

        Raises:
            ApiError: the picture has too many (413), `check` raises, or as `Service.translate_lines`.
        """
        self._lines += len(lines)
        most = self.service.config.picture_lines
        if self._lines > most:
            raise ApiError(413, f"Invalid request: the picture has more than {most} lines of text: send it in parts")
        translations: list[str] = []
        for start in range(0, len(lines), _TURN):
            work = self.service.translate_lines(lines[start : start + _TURN], self.model)
            translations += wait_for(work, self._loop, check)
        return translations
