"""Recordings of any length with sentences at known times, and how far subtitles are from them."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.recordings import RATE, synthesized

_SENTENCES = (
    "Two men are outside near many bushes.",
    "A woman reads a newspaper in the garden.",
    "Several children run across a green field.",
    "The old man sells fruit at the market.",
    "A brown dog jumps over a low fence.",
)
_VOICES = (("-v", "en-us"), ("-v", "en-us+f2", "-s", "150"), ("-v", "en-gb+m3", "-s", "190"))
_PAUSES = (1.0, 3.0)
"""Seconds between two sentences: more than what ends a segment."""
_AUDIBLE = 0.01
_CUE = re.compile(r"(\d+):(\d+):(\d+),(\d+) --> (\d+):(\d+):(\d+),(\d+)")

Times = list[tuple[float, float]]
"""Start and end in seconds."""


@dataclass(frozen=True)
class Drift:
    """How far subtitles are from the sentences."""

    sentences: int
    without_subtitle: int
    largest: float
    """Seconds between the start of a sentence and that of its first cue, at most."""
    growth: float
    """Seconds by which the mean of these differs in the last tenth from the first one."""


def write_talk(path: Path, seconds: float, seed: int = 1) -> Times:
    """Write a wav file of sentences between pauses with faint noise; returns when they are spoken."""
    generator = np.random.default_rng(seed)
    utterances = [_trimmed(synthesized(text, *voice)) for text in _SENTENCES for voice in _VOICES]
    times: Times = []
    count = 0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        while count < seconds * RATE:
            pause = np.zeros(int(RATE * generator.uniform(*_PAUSES)), np.float32)
            sentence = utterances[int(generator.integers(len(utterances)))]
            samples = np.concatenate([pause, sentence])
            samples = samples + 0.001 * generator.standard_normal(len(samples), np.float32)
            file.writeframes((samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
            count += len(samples)
            times.append(((count - len(sentence)) / RATE, count / RATE))
    return times


def drift_of(subtitles: str, sentences: Times) -> Drift:
    """Compare the cues of a SubRip file with the sentences.

    Args:
        subtitles: the text of the file.
        sentences: start and end of every sentence, in order.
    """
    cues = [_seconds(match.groups()) for match in _CUE.finditer(subtitles)]
    first_cues = [next((cue for cue in cues if cue[0] < end and cue[1] > start), None) for start, end in sentences]
    offsets = [cue[0] - start for cue, (start, _) in zip(first_cues, sentences, strict=True) if cue is not None]
    tenth = max(1, len(offsets) // 10)
    growth = float(np.mean(offsets[-tenth:]) - np.mean(offsets[:tenth]))
    return Drift(len(sentences), len(sentences) - len(offsets), max(map(abs, offsets)), growth)


def _seconds(numbers: Iterable[str]) -> tuple[float, float]:
    values = [int(number) for number in numbers]
    first, last = (((h * 60 + m) * 60) + s + ms / 1000 for h, m, s, ms in (values[:4], values[4:]))
    return first, last


def _trimmed(samples: np.ndarray) -> np.ndarray:
    voiced = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    return samples[voiced[0] : voiced[-1] + 1]
