"""Long recordings to utterances: where somebody speaks, cut at pauses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.audio.voice_activity import WINDOW, SpeechSpans, VoiceActivity

MIN_MAX_SECONDS = 2.0
"""The lowest `max_seconds`."""
_BLOCK = 30 * SAMPLE_RATE // WINDOW * WINDOW


@dataclass(frozen=True)
class Segment:
    """An utterance, or a part of one."""

    start: float
    end: float
    """Seconds since the start of the recording."""
    samples: np.ndarray
    """[samples] float32 at `SAMPLE_RATE`, exactly those from `start` to `end`."""


def speech_segments(samples: np.ndarray | Iterable[np.ndarray], max_seconds: float = 20) -> Iterator[Segment]:
    """Utterances of a recording, in order; silence, noise and music give none.

    A segment ends at a pause of half a second; it is yielded as soon as its pause is over in the samples, so that live
    sound is translated sentence by sentence. A longer one than `max_seconds` is cut at the longest pause of its second
    half; where there is none, two segments share 0.32 s.

    Args:
        samples: [samples] float32 at `SAMPLE_RATE`, or blocks of them, of any lengths. Memory holds a block and an
            utterance.
        max_seconds: the longest segment, at least `MIN_MAX_SECONDS`.

    Raises:
        UserError: the extra `speech` is not installed.
        ValueError: `max_seconds` is too low.
    """
    if max_seconds < MIN_MAX_SECONDS:
        raise ValueError(f"max_seconds is {max_seconds}: use {MIN_MAX_SECONDS} or more")
    stream = _Stream(SpeechSpans(int(max_seconds * SAMPLE_RATE) // WINDOW))
    for block in [samples] if isinstance(samples, np.ndarray) else samples:
        for start in range(0, len(block), _BLOCK):
            yield from stream.add(block[start : start + _BLOCK])
    yield from stream.finish()


class _Stream:
    """The samples that may still become part of a segment."""

    def __init__(self, spans: SpeechSpans) -> None:
        self._spans, self._activity = spans, VoiceActivity()
        self._samples = np.zeros(0, np.float32)
        self._offset = 0
        """Windows of the recording before `_samples`."""
        self._windows = 0
        """Windows of the recording that the network has read."""

    def add(self, block: np.ndarray) -> Iterator[Segment]:
        self._samples = np.concatenate([self._samples, np.asarray(block, np.float32)])
        ready = len(self._samples) // WINDOW + self._offset
        yield from self._read(self._samples[(self._windows - self._offset) * WINDOW : (ready - self._offset) * WINDOW])
        needed = min(self._spans.needed, self._windows)
        self._samples = self._samples[(needed - self._offset) * WINDOW :]
        self._offset = needed

    def finish(self) -> Iterator[Segment]:
        unread = self._samples[(self._windows - self._offset) * WINDOW :]
        yield from self._read(np.pad(unread, (0, -len(unread) % WINDOW)))
        yield from map(self._segment, self._spans.finish())

    def _read(self, samples: np.ndarray) -> Iterator[Segment]:
        for probability in self._activity.probabilities(samples):
            self._windows += 1
            yield from map(self._segment, self._spans.add(float(probability)))

    def _segment(self, span: tuple[int, int]) -> Segment:
        first, last = ((window - self._offset) * WINDOW for window in span)
        samples = self._samples[first:last].copy()
        start = span[0] * WINDOW / SAMPLE_RATE
        return Segment(start, start + len(samples) / SAMPLE_RATE, samples)
