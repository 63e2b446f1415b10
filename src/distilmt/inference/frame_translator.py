"""The translator of an export that reads pictures or speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import input_of
from distilmt.inference.speech_translator import SpeechTranslator


class FrameTranslator(Protocol):
    """What `ImageTranslator` and `SpeechTranslator` have in common."""

    def hypotheses(
        self, sources: Sequence[np.ndarray], options: DecodingOptions = DEFAULT_DECODING, /
    ) -> list[list[Hypothesis]]:
        """The translations of each picture or utterance, best first; none for an empty one."""


def load_frame_translator(path: Path, threads: int = 0, workers: int = 1) -> FrameTranslator:
    """The translator of an export; arguments and errors as those of the translators."""
    if input_of(path) == "speech":
        return SpeechTranslator(path, threads=threads, workers=workers)
    return ImageTranslator(path, threads=threads, workers=workers)
