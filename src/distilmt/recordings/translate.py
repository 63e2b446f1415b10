"""Translation of the speech in a recording with a student that reads speech, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from distilmt.audio.segments import MIN_MAX_SECONDS, speech_segments
from distilmt.recordings.records import TranslatedSegment

BLOCK_SECONDS = 5.0
"""Seconds of a recording that are decoded at a time."""
_BATCH = 16
"""Segments of a recording that are translated together: at most 20 MB of samples."""
_LONGEST = 20.0
"""Seconds of the longest segment, where the model reads longer ones too."""


class SpeechModel(Protocol):
    """What translates utterances: `inference.speech_translator.SpeechTranslator`."""

    max_seconds: float
    """Seconds of the longest utterance that it reads."""

    def translate_utterances(self, samples: Sequence[np.ndarray], beam_size: int | None = None) -> list[str]:
        """Translations of samples [samples] float32 each; an empty text where there is no speech."""


def translate_recording(
    blocks: Iterable[np.ndarray], model: SpeechModel, beam_size: int | None = None, batch: int = _BATCH
) -> Iterator[TranslatedSegment]:
    """Translate what is spoken in a recording, segment by segment; silence, noise and music give none.

    Args:
        blocks: consecutive samples, float32 mono at `audio.features.SAMPLE_RATE`; no more of them are read than a batch
            needs.
        model: a model that reads speech.
        beam_size: 1 is greedy; None: that of the export.
        batch: segments translated together; 1 gives each as soon as the pause behind it is over.
    """
    segments = speech_segments(blocks, max(MIN_MAX_SECONDS, min(_LONGEST, model.max_seconds)))
    while part := list(islice(segments, batch)):
        translations = model.translate_utterances([segment.samples for segment in part], beam_size)
        for segment, translation in zip(part, translations, strict=True):
            if translation:
                yield TranslatedSegment(segment.start, segment.end, translation)
