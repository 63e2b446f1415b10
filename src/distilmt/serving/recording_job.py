"""Recordings in the document process, which decodes them, cuts them at pauses and lets the server translate them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from distilmt.audio.decoding import audio_blocks
from distilmt.audio.features import SAMPLE_RATE
from distilmt.audio.tracks import AudioLimits
from distilmt.recordings.records import TranslatedSegment
from distilmt.recordings.translate import BLOCK_SECONDS, translate_recording
from distilmt.utils import extras

NO_SPEECH = "no speech was found in the recording"
_PACKAGES = ("av", "faster_whisper", "onnxruntime")


@dataclass(frozen=True)
class RecordingJob:
    """A recording to translate."""

    content: bytes
    max_seconds: float
    """Seconds of the longest utterance that the model reads."""
    limit: float
    """Seconds of the longest recording that is read."""


@dataclass(frozen=True)
class RecordingResult:
    """The translation of a recording."""

    segments: list[TranslatedSegment]
    """None of them is empty."""
    seconds: float
    """Length of the recording."""


@dataclass
class _UtteranceTranslator:
    """A `SpeechModel` whose model is elsewhere."""

    max_seconds: float
    translate: Callable[[list[np.ndarray]], list[str]]

    def translate_utterances(self, samples: Sequence[np.ndarray], beam_size: int | None = None) -> list[str]:
        """Translations of samples [samples] float32."""
        return self.translate([*samples])


def check_packages() -> None:
    """Check that recordings can be read, without importing what reads them.

    Raises:
        UserError: a package is missing.
    """
    extras.check_packages("serving a model that reads speech", _PACKAGES, "speech")


def translate_recording_job(job: RecordingJob, translate: Callable[[list[np.ndarray]], list[str]]) -> RecordingResult:
    """Translate a recording.

    Args:
        job: the recording.
        translate: translates utterances, [samples] float32 each.

    Raises:
        UserError: it is damaged, too long or of another format.
    """
    samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal samples
        for block in audio_blocks(io.BytesIO(job.content), BLOCK_SECONDS, AudioLimits(max_seconds=job.limit)):
            samples += len(block)
            yield block

    segments = list(translate_recording(counted(), _UtteranceTranslator(job.max_seconds, translate)))
    return RecordingResult(segments, round(samples / SAMPLE_RATE, 3))
