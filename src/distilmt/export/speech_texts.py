"""Recordings of texts for comparing exports: the same ones for the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from distilmt.config.voices import VoicesConfig
from distilmt.rendering.speech_renderer import SpeechRenderer
from distilmt.rendering.text_renderer import Absence
from distilmt.utils.errors import UserError

_SEED = 1


def utterances_of(texts: Sequence[str], voices: VoicesConfig) -> list[np.ndarray]:
    """Each text spoken by the voices for measuring, [samples] float32.

    Raises:
        UserError: a text cannot be spoken, or voices are missing.
    """
    utterances = []
    for text, source in zip(texts, SpeechRenderer.for_measuring(voices, _SEED).sources(texts, texts), strict=True):
        if isinstance(source, Absence):
            raise UserError(f"{text[:40]!r} cannot be spoken within student.voices.max_seconds: shorten it")
        utterances.append(source)
    return utterances


def speakable(texts: Sequence[str], voices: VoicesConfig, limit: int) -> list[str]:
    """The first texts that can be spoken, at most `limit`.

    Raises:
        UserError: voices are missing.
    """
    sources = SpeechRenderer.for_measuring(voices, _SEED).sources(texts, texts)
    usable = (text for text, source in zip(texts, sources, strict=True) if not isinstance(source, Absence))
    return list(islice(usable, limit))
