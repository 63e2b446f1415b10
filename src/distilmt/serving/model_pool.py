"""Model pool: loads models on demand within a memory limit; the least recently used ones are evicted."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.inference.base import DecodingOptions, Hypothesis
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.inference.translator import Translator
from distilmt.serving.batcher import Batcher, BatchLimits, TranslateBatch
from distilmt.serving.catalog import ModelInfo
from distilmt.serving.errors import ApiError
from distilmt.serving.metrics import Metrics
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

Languages = tuple[str, str]
_POLL_SECONDS = 0.05
_WARM_UP_SENTENCE = "Hello."


AnyTranslator = TypeVar("AnyTranslator", Translator, ImageTranslator, SpeechTranslator)
Sentence = TypeVar("Sentence", bound=Sized)


@dataclass(frozen=True)
class Utterance:
    """Speech between two pauses, for a batcher."""

    samples: np.ndarray
    """[samples] float32."""

    def __len__(self) -> int:
        """Positions of the encoder, about: what a batcher counts."""
        return len(self.samples) * 50 // SAMPLE_RATE


@dataclass
class LoadedModel(Generic[AnyTranslator, Sentence]):
    """A model in memory."""

    model: ModelInfo
    translator: AnyTranslator
    batcher: Batcher[Sentence]
    beam_size: int
    users: int = 0


class ModelPool:
    """Models by name. All methods are called on the event loop; loading runs on a thread."""

    def __init__(
        self,
        memory: int,
        limits: BatchLimits,
        beam_size: int | None,
        metrics: Metrics,
        terms: dict[Languages, dict[str, str]],
    ) -> None:
        """Start without a loaded model.

        Args:
            memory: maximum bytes of loaded models.
            limits: limits of the batching.
            beam_size: for all models; None: each model's default.
            metrics: counts loaded models and translations.
            terms: glossary terms and their translations, by language pair.
        """
        self._terms = terms
        self._memory, self._limits, self._beam_size, self._metrics = memory, limits, beam_size, metrics
        self._loaded: OrderedDict[str, LoadedModel[Any, Any]] = OrderedDict()
        self._loading = asyncio.Lock()

    def check(self, model: ModelInfo) -> None:
        """Check that a model can be loaded.

        Raises:
            UserError: the model alone exceeds the memory limit.
        """
        if model.memory > self._memory:
            raise UserError(f"{model.path} takes {model.memory:,} bytes: raise --memory ({self._memory:,} bytes)")

    def use(self, model: ModelInfo) -> AbstractAsyncContextManager[LoadedModel[Translator, str]]:
        """A model that reads text, loaded if necessary; it is not evicted while the block runs."""
        return cast("AbstractAsyncContextManager[LoadedModel[Translator, str]]", self._use(model))

    def use_for_pictures(
        self, model: ModelInfo
    ) -> AbstractAsyncContextManager[LoadedModel[ImageTranslator, np.ndarray]]:
        """A model that reads pictures, loaded if necessary; it is not evicted while the block runs."""
        return cast("AbstractAsyncContextManager[LoadedModel[ImageTranslator, np.ndarray]]", self._use(model))

    def use_for_speech(self, model: ModelInfo) -> AbstractAsyncContextManager[LoadedModel[SpeechTranslator, Utterance]]:
        """A model that reads speech, loaded if necessary; it is not evicted while the block runs."""
        return cast("AbstractAsyncContextManager[LoadedModel[SpeechTranslator, Utterance]]", self._use(model))

    @asynccontextmanager
    async def _use(self, model: ModelInfo) -> AsyncIterator[LoadedModel[Any, Any]]:
        loaded = self._loaded.get(model.name) or await self._load(model)
        self._loaded.move_to_end(model.name)
        loaded.users += 1
        try:
            yield loaded
        finally:
            loaded.users -= 1

    def is_loaded(self, model: ModelInfo) -> bool:
        """Whether a model is in memory now."""
        return model.name in self._loaded

    @property
    def waiting(self) -> int:
        """Sentences that wait for any model."""
        return sum(loaded.batcher.waiting for loaded in self._loaded.values())

    def close(self) -> None:
        """Unload all models; none may be in use."""
        for loaded in self._loaded.values():
            loaded.batcher.close()
        self._loaded.clear()

    async def _load(self, model: ModelInfo) -> LoadedModel[Any, Any]:
        async with self._loading:
            if model.name in self._loaded:
                return self._loaded[model.name]
            await self._evict(model.memory)
            try:
                loaded = await asyncio.to_thread(self._loaded_model, model)
            except UserError as error:  # its files changed since the start, or it has no checksums
                logger.info(str(error))
                raise ApiError(503, f"{model.name} cannot be loaded: contact the server operator") from None
            self._loaded[model.name] = loaded
            self._metrics.loaded(self._used_bytes())
            return loaded

    def _loaded_model(self, model: ModelInfo) -> LoadedModel[Any, Any]:
        loaders: dict[str, Callable[[ModelInfo], LoadedModel[Any, Any]]] = {
            "text": self._load_for_text,
            "image": self._load_for_pictures,
            "speech": self._load_for_speech,
        }
        return loaders[model.input](model)

    def _load_for_text(self, model: ModelInfo) -> LoadedModel[Translator, str]:
        """Load a translator and warm it up, so that the first request is not slower. Runs on a thread."""
        workers = self._limits.concurrency
        translator = Translator(model.path, threads=1, workers=workers)
        translator.translate([_WARM_UP_SENTENCE] * workers, batch_size=1)
        beam = self._beam_size or translator.beam_size
        terms = self._terms.get((model.source, model.target), {})
        translate = _translate_function(translator, beam, self._limits.tokens, terms)
        return LoadedModel(model, translator, Batcher(translate, self._limits, self._metrics.batch), beam)

    def _load_for_pictures(self, model: ModelInfo) -> LoadedModel[ImageTranslator, np.ndarray]:
        """As `_load_for_text`, for a model that reads pictures."""
        workers = self._limits.concurrency
        translator = ImageTranslator(model.path, threads=1, workers=workers)
        translator.translate_lines([_warm_up_picture(translator.height)] * workers, batch_size=1)
        beam = self._beam_size or translator.beam_size
        translate = _picture_function(translator, beam)
        return LoadedModel(model, translator, Batcher(translate, self._limits, self._metrics.batch), beam)

    def _load_for_speech(self, model: ModelInfo) -> LoadedModel[SpeechTranslator, Utterance]:
        """As `_load_for_text`, for a model that reads speech."""
        workers = self._limits.concurrency
        translator = SpeechTranslator(model.path, threads=1, workers=workers)
        translator.translate_utterances([_warm_up_sound()] * workers, batch_size=1)
        beam = self._beam_size or translator.beam_size
        translate = _speech_function(translator, beam)
        return LoadedModel(model, translator, Batcher(translate, self._limits, self._metrics.batch), beam)

    async def _evict(self, model_bytes: int) -> None:
        while self._used_bytes() + model_bytes > self._memory and self._loaded:
            idle = next((name for name, loaded in self._loaded.items() if not loaded.users), None)
            if idle is None:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            self._loaded.pop(idle).batcher.close()
            self._metrics.evicted.inc()
        self._metrics.loaded(self._used_bytes())

    def _used_bytes(self) -> int:
        return sum(loaded.model.memory for loaded in self._loaded.values())


def _warm_up_picture(height: int) -> np.ndarray:
    """Vertical strokes [columns, height] uint8."""
    columns = np.full((2 * height, height), 255, np.uint8)
    columns[::4, height // 4 : -(height // 4)] = 0
    return columns


def _warm_up_sound() -> np.ndarray:
    """Half a second of a voice's pitch, [samples] float32."""
    phase = 2 * np.pi * 120 / SAMPLE_RATE * np.arange(SAMPLE_RATE // 2)
    samples: np.ndarray = (0.1 * np.sign(np.sin(phase))).astype(np.float32)
    return samples


def _speech_function(translator: SpeechTranslator, beam: int) -> TranslateBatch[Utterance]:
    options = DecodingOptions(beam_size=beam, return_scores=True)

    def translate(utterances: list[Utterance], count: int) -> list[list[Hypothesis]]:
        return translator.hypotheses([each.samples for each in utterances], replace(options, num_hypotheses=count))

    return translate


def _picture_function(translator: ImageTranslator, beam: int) -> TranslateBatch[np.ndarray]:
    options = DecodingOptions(beam_size=beam, return_scores=True)
    return lambda lines, count: translator.hypotheses(lines, replace(options, num_hypotheses=count))


def _translate_function(translator: Translator, beam: int, tokens: int, terms: dict[str, str]) -> TranslateBatch[str]:
    options = DecodingOptions(beam_size=beam, batch_size=tokens, batch_type="tokens", return_scores=True)

    def translate(texts: list[str], count: int) -> list[list[Hypothesis]]:
        return translator.ranked(texts, replace(options, num_hypotheses=count))

    if not terms:
        return translate
    from distilmt.documents.glossary import Glossary

    glossary = Glossary(translator, terms, beam)
    return lambda texts, count: glossary.filter_hypotheses(texts, translate(texts, count))
