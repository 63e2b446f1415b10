"""Loaded models: on demand, within a limit of memory, those that were not used for longest make room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from distilmt.inference.base import Hypothesis
from distilmt.inference.translator import Translator
from distilmt.serving.batcher import Batcher, Limits, Translate
from distilmt.serving.catalog import Known
from distilmt.serving.errors import Refused
from distilmt.serving.metrics import Metrics
from distilmt.utils import progress
from distilmt.utils.errors import UserError

Languages = tuple[str, str]
_DOZE = 0.05
_FIRST = "Hello."


@dataclass
class Loaded:
    """A model in memory."""

    known: Known
    translator: Translator
    batcher: Batcher
    beam_size: int
    users: int = 0


class Store:
    """Models by name. All methods are called on the event loop; loading runs on a thread."""

    def __init__(
        self,
        memory: int,
        limits: Limits,
        beam_size: int | None,
        metrics: Metrics,
        terms: dict[Languages, dict[str, str]],
    ) -> None:
        """Start with nothing loaded.

        Args:
            memory: bytes of models that may be loaded at a time.
            limits: how batches are made.
            beam_size: for all models; None takes each one's own.
            metrics: told of what is loaded and translated.
            terms: by pair of languages, words whose translation is prescribed.
        """
        self._terms = terms
        self._memory, self._limits, self._beam_size, self._metrics = memory, limits, beam_size, metrics
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loading = asyncio.Lock()

    def check(self, known: Known) -> None:
        """Refuse a model that could never be loaded.

        Raises:
            UserError: it alone exceeds the limit.
        """
        if known.memory > self._memory:
            raise UserError(f"{known.path} takes {known.memory:,} bytes: raise --memory ({self._memory:,} bytes)")

    @asynccontextmanager
    async def use(self, known: Known) -> AsyncIterator[Loaded]:
        """The model, loaded if it was not; it stays while the block runs."""
        loaded = self._loaded.get(known.name) or await self._load(known)
        self._loaded.move_to_end(known.name)
        loaded.users += 1
        try:
            yield loaded
        finally:
            loaded.users -= 1

    def is_loaded(self, known: Known) -> bool:
        """Whether a model is in memory now."""
        return known.name in self._loaded

    @property
    def waiting(self) -> int:
        """Sentences that wait for any model."""
        return sum(loaded.batcher.waiting for loaded in self._loaded.values())

    def close(self) -> None:
        """Forget all models; nobody may use one any more."""
        for loaded in self._loaded.values():
            loaded.batcher.close()
        self._loaded.clear()

    async def _load(self, known: Known) -> Loaded:
        async with self._loading:
            if known.name in self._loaded:
                return self._loaded[known.name]
            await self._make_room(known.memory)
            try:
                translator = await asyncio.to_thread(_load_translator, known, self._limits.side_by_side)
            except UserError as error:  # its files changed since the start, or it has no checksums
                progress.say(str(error))
                raise Refused(503, f"{known.name} cannot be loaded: tell the server's operator") from None
            beam = self._beam_size or translator.beam_size
            terms = self._terms.get((known.source, known.target), {})
            translate = _translating(translator, beam, self._limits.tokens, terms)
            batcher = Batcher(translate, self._limits, self._metrics.batch)
            self._loaded[known.name] = Loaded(known, translator, batcher, beam)
            self._metrics.loaded(self._taken())
            return self._loaded[known.name]

    async def _make_room(self, wanted: int) -> None:
        while self._taken() + wanted > self._memory and self._loaded:
            idle = next((name for name, loaded in self._loaded.items() if not loaded.users), None)
            if idle is None:
                await asyncio.sleep(_DOZE)
                continue
            self._loaded.pop(idle).batcher.close()
            self._metrics.evicted.inc()
        self._metrics.loaded(self._taken())

    def _taken(self) -> int:
        return sum(loaded.known.memory for loaded in self._loaded.values())


def _load_translator(known: Known, workers: int) -> Translator:
    """On a thread: a translator that has translated already, so that the first request waits no longer than others."""
    translator = Translator(known.path, threads=1, workers=workers)
    translator.translate([_FIRST] * workers, batch_size=1)
    return translator


def _translating(translator: Translator, beam: int, tokens: int, terms: dict[str, str]) -> Translate:
    def translate(texts: list[str], count: int) -> list[list[Hypothesis]]:
        return translator.ranked(texts, beam, count, tokens, "tokens", scored=True)

    if not terms:
        return translate
    from distilmt.documents.glossary import Glossary

    glossary = Glossary(translator, terms, beam)
    return lambda texts, count: glossary.holding(texts, translate(texts, count))
