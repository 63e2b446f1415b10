"""The models of a server for one document, which is read on a thread: a language pair, and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from typing import Any, TypeVar

from distilmt.documents import Attentive
from distilmt.inference.base import Attended
from distilmt.serving.catalog import Pair
from distilmt.serving.errors import Refused
from distilmt.serving.processes import POLL
from distilmt.serving.service import Said, Service

_TURN = 256  # sentences that are translated at a time
_ATTENTION_TURN = 32  # and whose attention is computed: meanwhile a thread translates nothing
T = TypeVar("T")


class DocumentModel:
    """Translates what one document holds. Made on the event loop, called on a thread."""

    def __init__(self, service: Service, pair: Pair | None) -> None:
        """Translate by the models of `pair`; None leaves all as it is."""
        self.service, self.pair = service, pair
        self.said: list[Said] = []
        """Every sentence, in order."""
        self._loop = asyncio.get_running_loop()
        self._characters = 0
        self._check: Callable[[], None] = lambda: None

    def __call__(self, check: Callable[[], None]) -> Attentive:
        """A model for `formats` that ends once `check` raises."""
        self._check = check
        return Attentive(self.translate, self.attention)

    def translate(self, texts: list[str]) -> list[str]:
        """A translation of each text.

        Raises:
            Refused: the document has too many characters (413), or as `Service.translate`.
        """
        self._characters += sum(map(len, texts))
        most = self.service.config.document_chars
        if self._characters > most:
            raise Refused(413, f"Invalid request: more than {most} characters to translate: send the document in parts")
        if self.pair is None:
            return texts
        translations: list[str] = []
        for start in range(0, len(texts), _TURN):
            translated = self._wait(self.service.translate(texts[start : start + _TURN], self.pair))
            self.said += [said for one in translated for said in one.said]
            translations += [one.text for one in translated]
        return translations

    def attention(self, texts: list[str], translations: list[str]) -> list[list[Attended]]:
        """What each word of each translation is made from."""
        attended: list[list[Attended]] = []
        for start in range(0, len(texts), _ATTENTION_TURN):
            end = start + _ATTENTION_TURN
            attended += self._wait(self._attention(texts[start:end], translations[start:end]))
        return attended

    async def _attention(self, texts: list[str], translations: list[str]) -> list[list[Attended]]:
        if self.pair is None:
            return [[] for _ in texts]
        async with self.service.store.use(self.pair.main) as loaded:
            return await loaded.batcher.aside(partial(loaded.translator.attention, texts, translations))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """On the thread: what the event loop makes of it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                self._check()
                try:
                    return future.result(POLL)
                except NotYet:
                    continue
        finally:
            future.cancel()
