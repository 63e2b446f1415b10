"""The sound of a recording, sampled from a configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilmt.audio.degradations import Degradation
from distilmt.config.voices import VoicesConfig
from distilmt.rendering.voices import Voice

_BEST_SNR = 40.0


@dataclass(frozen=True)
class SpeechStyle:
    """Voice, speed, pitch, level and margins of a recording, and its degradation."""

    voice: Voice
    speed: float
    """Multiple of the voice's own."""
    pitch: float
    """Factor of all frequencies, so that the timbre changes too."""
    gain: float
    """Level of the loudest sample in decibels."""
    margins: tuple[float, float]
    """Seconds without speech before and after it."""
    degradation: Degradation | None
    """None: a clean recording."""


def sample_speech_style(config: VoicesConfig, voices: Sequence[Voice], generator: np.random.Generator) -> SpeechStyle:
    """A style within the bounds of a configuration; all voices are equally frequent."""
    voice = voices[int(generator.integers(len(voices)))]
    speed, pitch = (
        math.exp(generator.uniform(math.log(low), math.log(high)))
        for low, high in ((config.min_speed, config.max_speed), (1 - config.pitch, 1 + config.pitch))
    )
    gain, is_clean = generator.uniform(config.quietest, 0), generator.random() < config.clean_fraction
    before, after = generator.uniform(0, config.margin, 2).tolist()
    degradation = None if is_clean else _sample_degradation(config, generator)
    return SpeechStyle(voice, speed, pitch, gain, (before, after), degradation)


def _sample_degradation(config: VoicesConfig, generator: np.random.Generator) -> Degradation:
    return Degradation(
        snr_db=generator.uniform(config.min_snr, max(config.min_snr, _BEST_SNR)),
        noise_color=generator.uniform(0, 2),
        reverberation=generator.uniform(0, config.reverberation),
        is_telephone=bool(generator.random() < config.telephone_fraction),
        seed=int(generator.integers(2**32)),
    )
