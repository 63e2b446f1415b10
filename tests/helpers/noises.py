"""Sounds without speech, made in code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helpers.recordings import RATE, music


def colored(seconds: float, color: float, level: float, seed: int = 1) -> np.ndarray:
    """Noise of an effective level whose power at a frequency f is 1 / f to the power `color`, [samples] float32."""
    generator = np.random.default_rng(seed)
    spectrum = np.fft.rfft(generator.standard_normal(round(seconds * RATE)))
    frequencies = np.maximum(np.fft.rfftfreq(round(seconds * RATE), 1 / RATE), 30)
    noise = np.fft.irfft(spectrum * frequencies ** (-color / 2), round(seconds * RATE))
    return (level * noise / np.sqrt((noise**2).mean())).astype(np.float32)


def murmur(seconds: float, seed: int = 1) -> np.ndarray:
    """Noise with the spectrum and the slow changes of many voices far away, without any word, [samples] float32."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    noise = colored(seconds, 1.5, 0.05, seed)
    waves = [np.sin(2 * np.pi * (hertz * times + generator.random())) for hertz in generator.uniform(2, 6, 5)]
    return (noise * (1 + 0.1 * np.sum(waves, 0))).astype(np.float32)


def tones(seconds: float) -> np.ndarray:
    """A tone after the other of a scale, as of a telephone or an alarm, [samples] float32."""
    times = np.arange(RATE // 2) / RATE
    parts = [0.2 * np.sin(2 * np.pi * 330 * 2 ** (number % 12 / 12) * times) for number in range(int(2 * seconds))]
    return np.concatenate(parts).astype(np.float32)


def clicks(seconds: float, seed: int = 1) -> np.ndarray:
    """Impulses at random times, as of a keyboard, [samples] float32."""
    generator = np.random.default_rng(seed)
    samples = np.zeros(round(seconds * RATE), np.float32)
    for position in generator.integers(0, max(1, len(samples) - 200), int(4 * seconds)):
        samples[position : position + 200] += 0.5 * np.exp(-np.arange(200) / 30) * generator.standard_normal(200)
    return samples


NOISES: dict[str, Callable[[float], np.ndarray]] = {
    "silence": lambda seconds: np.zeros(round(seconds * RATE), np.float32),
    "white noise": lambda seconds: colored(seconds, 0, 0.1),
    "quiet white noise": lambda seconds: colored(seconds, 0, 0.001),
    "pink noise": lambda seconds: colored(seconds, 1, 0.1),
    "brown noise": lambda seconds: colored(seconds, 2, 0.1),
    "murmur": murmur,
    "tones": tones,
    "music": music,
    "clicks": clicks,
}
"""By name; each takes a length in seconds."""
