"""Translation of one document, which is read on a thread, with a server's models and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from typing import TypeVar

from distilmt.documents import TranslateWithAttention
from distilmt.inference.base import WordAttention
from distilmt.serving.catalog import PairModels
from distilmt.serving.errors import ApiError
from distilmt.serving.processes import POLL
from distilmt.serving.service import SentenceTranslation, Service

_TURN = 256  # sentences that are translated at a time
_ATTENTION_TURN = 32  # sentences whose attention is computed at a time: it blocks a translation thread
T = TypeVar("T")


class DocumentModel:
    """Translates the sentences of one document. Created on the event loop, called on a thread."""

    def __init__(self, service: Service, pair: PairModels | None) -> None:
        """Translate with the models of `pair`; None leaves the text unchanged."""
        self.service, self.pair = service, pair
        self.sentences: list[SentenceTranslation] = []
        """Every sentence, in order."""
        self._loop = asyncio.get_running_loop()
        self._characters = 0
        self._check: Callable[[], None] = lambda: None

    def __call__(self, check: Callable[[], None]) -> TranslateWithAttention:
        """A model for `documents` that stops when `check` raises."""
        self._check = check
        return TranslateWithAttention(self.translate, self.attention)

    def translate(self, texts: list[str]) -> list[str]:
        """A translation of each text.

        Raises:
            ApiError: the document has too many characters (413), or as `Service.translate`.
        """
        self._characters += sum(map(len, texts))
        most = self.service.config.document_chars
        if self._characters > most:
            raise ApiError(
                413, f"Invalid request: more than {most} characters to translate: send the document in parts"
            )
        if self.pair is None:
            return texts
        translations: list[str] = []
        for start in range(0, len(texts), _TURN):
            translated = wait_for(
                self.service.translate(texts[start : start + _TURN], self.pair), self._loop, self._check
            )
            self.sentences += [sentence for one in translated for sentence in one.sentences]
            translations += [one.text for one in translated]
        return translations

    def attention(self, texts: list[str], translations: list[str]) -> list[list[WordAttention]]:
        """Attention of each word of each translation to the source."""
        attended: list[list[WordAttention]] = []
        for start in range(0, len(texts), _ATTENTION_TURN):
            end = start + _ATTENTION_TURN
            attended += wait_for(self._attention(texts[start:end], translations[start:end]), self._loop, self._check)
        return attended

    async def _attention(self, texts: list[str], translations: list[str]) -> list[list[WordAttention]]:
        if self.pair is None:
            return [[] for _ in texts]
        async with self.service.model_pool.use(self.pair.main) as loaded:
            return await loaded.batcher.run_in_executor(partial(loaded.translator.attention, texts, translations))


def wait_for(work: Coroutine[object, None, T], loop: asyncio.AbstractEventLoop, check: Callable[[], None]) -> T:
    """Run a coroutine on the event loop, from a thread, and return its result; end it when `check` raises."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while True:
            check()
            try:
                return future.result(POLL)
            except NotYet:
                continue
    finally:
        future.cancel()
