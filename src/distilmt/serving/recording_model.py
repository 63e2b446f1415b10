"""Translation of one recording, which is decoded in another process, with a server's model and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from distilmt.inference.base import Hypothesis
from distilmt.serving.catalog import ModelInfo
from distilmt.serving.document_model import wait_for
from distilmt.serving.recording_job import RecordingJob
from distilmt.serving.service import Service


class RecordingModel:
    """Translates the utterances of one recording. Created on the event loop, called on a thread."""

    def __init__(self, service: Service, model: ModelInfo) -> None:
        """Translate with a model that reads speech."""
        self.service, self.model = service, model
        self.hypotheses: list[Hypothesis] = []
        """The translation of every utterance that has one, in order."""
        self._loop = asyncio.get_running_loop()

    async def job(self, content: bytes) -> RecordingJob:
        """A job for the process, with the longest utterance that the model reads.

        Raises:
            ApiError: the model cannot be loaded (503).
        """
        async with self.service.model_pool.use_for_speech(self.model) as loaded:
            return RecordingJob(content, loaded.translator.max_seconds, self.service.config.recording_seconds)

    def translate(self, utterances: list[np.ndarray], check: Callable[[], None]) -> list[str]:
        """Translations of utterances [samples] float32; empty where there is no speech.

        Raises:
            ApiError: `check` raises, or as `Service.translate_utterances`.
        """
        hypotheses = wait_for(self.service.translate_utterances(utterances, self.model), self._loop, check)
        self.hypotheses += [each for each in hypotheses if each.text]
        return [each.text for each in hypotheses]
