"""Probabilities of speech, window by window, by Silero's network, and the spans of windows between pauses."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WINDOW = 512
"""Samples of a window, 32 ms: the network was trained for this length."""
_CONTEXT = 64
"""Samples before a window that the network reads too."""
_BEGIN, _CONTINUE = 0.5, 0.35
"""Probabilities from which speech begins and goes on."""
_CONFIDENT = 0.8
"""Probability that some window of a span has to reach: music and noise rarely do."""
_MIN_SPEECH = 8
"""Windows of speech (0.26 s); shorter spans are clicks."""
PAUSE = 16
"""Windows without speech (0.51 s) that end a span."""
_SHORT_PAUSE = 3
"""Windows without speech (0.1 s) at which a span that is too long may be cut."""
MARGIN = 6
"""Windows (0.19 s) before and after speech that belong to its span: onsets and ends are quiet."""
OVERLAP = 10
"""Windows (0.32 s) that two spans share where speech without a pause had to be cut."""


class VoiceActivity:
    """Probabilities of speech in a stream of samples; the network remembers what came before."""

    def __init__(self) -> None:
        self._session = _session()
        self._states = [np.zeros((1, 1, 128), np.float32)] * 2
        self._context = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """Probability of speech in each window.

        Args:
            samples: [windows · WINDOW] float32, what follows the samples of the last call.

        Returns:
            [windows] float32.
        """
        if not len(samples):
            return np.zeros(0, np.float32)
        stream = np.concatenate([self._context, samples])
        self._context = stream[-_CONTEXT:]
        windows = np.lib.stride_tricks.sliding_window_view(stream, _CONTEXT + WINDOW)[::WINDOW]
        inputs = {"input": np.ascontiguousarray(windows), "h": self._states[0], "c": self._states[1]}
        probabilities, *self._states = self._session.run(["speech_probs", "hn", "cn"], inputs)
        values: np.ndarray = probabilities.reshape(-1)
        return values


@functools.cache
def _session() -> InferenceSession:
    """The network on one thread, as faster-whisper ships it: Silero's own package needs torch."""
    with explained("finding speech"):
        from faster_whisper.vad import get_vad_model

        return get_vad_model().session


@dataclass
class SpeechSpans:
    """Spans of windows with speech, found while their probabilities arrive."""

    max_windows: int
    """The longest span, margins included."""
    _window: int = 0
    """The number of the next window."""
    _start: int | None = None
    _end: int = 0
    """First window of the speech that goes on, and the window after its last one."""
    _highest: float = 0.0
    _voiced: int = 0
    _first: int = 0
    """The first window that the next span may have: what is before belongs to a span."""
    _pauses: list[tuple[int, int]] = field(default_factory=list)

    @property
    def needed(self) -> int:
        """The first window that may still become part of a span."""
        return max(self._first, (self._window if self._start is None else self._start) - MARGIN)

    def add(self, probability: float) -> Iterator[tuple[int, int]]:
        """Spans (first window, window after the last) that this window completes."""
        window, self._window = self._window, self._window + 1
        is_speech = probability >= (_BEGIN if self._start is None else _CONTINUE)
        if is_speech:
            self._continue(window, probability)
        if self._start is None:
            return
        if self._window - self._end >= PAUSE:
            yield from self._span(self._end + MARGIN)
            self._start = None
        elif self._window - max(self._first, self._start - MARGIN) >= self.max_windows - MARGIN:
            yield from self._cut()

    def finish(self) -> Iterator[tuple[int, int]]:
        """The span that the end of the recording completes."""
        if self._start is not None:
            yield from self._span(min(self._end + MARGIN, self._window))
            self._start = None

    def _continue(self, window: int, probability: float) -> None:
        if self._start is None:
            self._begin(window)
        elif window - self._end >= _SHORT_PAUSE:
            self._pauses.append((self._end, window))
        self._end = window + 1
        self._voiced += 1
        self._highest = max(self._highest, probability)

    def _begin(self, window: int) -> None:
        self._start, self._end, self._highest, self._voiced, self._pauses = window, window, 0.0, 0, []

    def _span(self, end: int) -> Iterator[tuple[int, int]]:
        """The span up to a window, unless it is too short or too unsure to be speech."""
        assert self._start is not None
        first, self._first = max(self._first, self._start - MARGIN), end
        if self._voiced >= _MIN_SPEECH and self._highest >= _CONFIDENT:
            yield first, end

    def _cut(self) -> Iterator[tuple[int, int]]:
        """Cut a span that is too long at the longest pause of its second half, or where it is, with overlap."""
        assert self._start is not None
        middle = self._start + self.max_windows // 2
        pauses = [*self._pauses, (self._end, self._window)]
        pauses = [(start, end) for start, end in pauses if start >= middle and end - start >= _SHORT_PAUSE]
        if not pauses:
            yield from self._span(self._window)
            # What two spans share does not count as speech of the second, which may be nothing else.
            self._first = self._window - OVERLAP
            self._resume(self._first, self._window, 0)
            return
        start, end = max(pauses, key=lambda pause: pause[1] - pause[0])
        yield from self._span(min((start + end) // 2, start + MARGIN))
        if end == self._window:
            self._start = None
        else:
            self._resume(end, self._end, self._end - end)

    def _resume(self, start: int, end: int, voiced: int) -> None:
        """Speech goes on after a cut, as sure as before."""
        later = [pause for pause in self._pauses if pause[0] > start]
        self._start, self._end, self._voiced, self._pauses = start, end, voiced, later
