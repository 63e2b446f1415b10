"""What a room, a microphone and a line do to speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distilmt.audio.features import SAMPLE_RATE

_TELEPHONE_BAND = (300.0, 3400.0)
"""Hertz."""
_LOWEST_NOISE = 50.0
"""Hertz below which noise of all colors is equally strong."""
_MU = 255
"""Of the compression of a telephone line."""
_DECAY = 1e-3
"""Level at which reverberation counts as over: 60 decibels below its beginning."""


@dataclass(frozen=True)
class Degradation:
    """What is done to the speech of a recording."""

    snr_db: float
    """Ratio of the power of the speech to that of the noise, in decibels."""
    noise_color: float
    """Power of the noise at a frequency f is 1 / f to this power: 0 is white, 1 pink, 2 brown."""
    reverberation: float
    """Seconds until an echo is 60 decibels weaker; 0: none."""
    is_telephone: bool
    """Whether it passes through the band and the compression of a telephone."""
    seed: int


def degrade(samples: np.ndarray, degradation: Degradation) -> np.ndarray:
    """A recording with reverberation, noise and the band of a telephone; its length stays.

    Args:
        samples: [samples] float32 at `SAMPLE_RATE`; silence at its ends is filled with noise, too.
        degradation: what happens to it.
    """
    generator = np.random.default_rng(degradation.seed)
    sound = _reverberant(samples, degradation.reverberation, generator)
    sound = sound + _noise(len(sound), degradation.noise_color, generator) * _noise_level(sound, degradation.snr_db)
    if degradation.is_telephone:
        sound = _through_telephone(sound)
    return sound.astype(np.float32)


def _reverberant(samples: np.ndarray, seconds: float, generator: np.random.Generator) -> np.ndarray:
    """Samples after echoes whose strength falls exponentially; the direct sound is as strong as all echoes."""
    length = int(seconds * SAMPLE_RATE)
    if length < 2:
        return samples
    echoes = generator.standard_normal(length) * _DECAY ** np.linspace(0, 1, length)
    echoes /= np.sqrt((echoes**2).sum())
    echoes[0] = 1
    size = 1 << (len(samples) + length).bit_length()
    reverberant: np.ndarray = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echoes, size), size)
    return reverberant[: len(samples)]


def _noise(length: int, color: float, generator: np.random.Generator) -> np.ndarray:
    """Noise of power 1, [length]."""
    white = np.fft.rfft(generator.standard_normal(length))
    frequencies = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), _LOWEST_NOISE)
    noise: np.ndarray = np.fft.irfft(white * frequencies ** (-color / 2), length)
    return noise / max(float(np.sqrt((noise**2).mean())), 1e-12)


def _noise_level(samples: np.ndarray, snr_db: float) -> float:
    """Amplitude of the noise; the power of the speech is that of the samples that are not silence."""
    power = samples[samples != 0] ** 2
    return float(np.sqrt(power.mean() * 10 ** (-snr_db / 10))) if len(power) else 0.0


def _through_telephone(samples: np.ndarray) -> np.ndarray:
    spectrum, frequencies = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    low, high = _TELEPHONE_BAND
    band = np.fft.irfft(spectrum * ((frequencies >= low) & (frequencies <= high)), len(samples))
    loudest = max(float(np.abs(band).max(initial=0)), 1e-12)
    compressed = np.sign(band) * np.log1p(_MU * np.abs(band / loudest)) / np.log1p(_MU)
    rounded = np.rint(compressed * 127) / 127
    expanded: np.ndarray = np.sign(rounded) * np.expm1(np.abs(rounded) * np.log1p(_MU)) / _MU * loudest
    return expanded
