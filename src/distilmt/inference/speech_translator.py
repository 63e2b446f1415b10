"""Translation of utterances with an exported model; imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from distilmt.audio.features import FRAMES_PER_SECOND, HOP, MELS, SAMPLE_RATE, frames_of, log_mel
from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis
from distilmt.inference.frame_search import Frames, FrameSearch
from distilmt.inference.manifest import ExportManifest, check_input, read_manifest
from distilmt.utils import checksums
from distilmt.utils.errors import UserError

_SILENCE = 3e-4
"""Loudest 10 ms, as root of the mean square, of what is silence: 70 dB below full scale."""
_FEWEST_TOKENS, _TOKENS_PER_SECOND = 10, 10
"""Most tokens of a translation: so many, and so many more for every second."""


class SpeechTranslator:
    """A loaded exported model of a student that reads speech.

    An utterance has the same translation alone and among others: only utterances of equal length make a batch, because
    CTranslate2's encoder reads padding too.
    """

    def __init__(self, path: str | Path, threads: int = 0, workers: int = 1, device: str = "cpu") -> None:
        """Load a model directory.

        Args:
            path: a CTranslate2 directory written by distilmt, of a student with `student.input: speech`.
            threads: CPU threads per worker; 0: one per core.
            workers: batches translated in parallel.
            device: `cpu`, `cuda`, or `auto` for the GPU if one is usable.

        Raises:
            UserError: the directory is not such a model, a file is missing or damaged, or CTranslate2 cannot use the
                device.
        """
        self.path = Path(path)
        checksums.check_checksums(self.path)
        manifest = read_manifest(self.path)
        check_input(self.path, manifest, "speech")
        self.stack, self.max_seconds = _sizes(self.path, manifest)
        self.beam_size = int(manifest.get("beam_size", 4))
        limit = partial(most_tokens, self.stack)
        self._search = FrameSearch(self.path, manifest, limit, threads, workers, device)
        if self._search.frame_size != self.stack * MELS:
            raise UserError(
                f"{self.path}: the model reads frames of {self._search.frame_size} numbers, but distilmt.json has "
                f"{self.stack} times {MELS} mel bands: copy or export the model again"
            )

    @property
    def compute_type(self) -> str:
        """The numeric type in which the model computes, in CTranslate2's words: `float32`, `int8_float32`."""
        return self._search.compute_type

    def translate_utterances(
        self, samples: Sequence[np.ndarray], beam_size: int | None = None, batch_size: int = 16
    ) -> list[str]:
        """The translation of every utterance, in order; silence gives an empty one.

        An utterance longer than `max_seconds` is cut where it is quietest, and its parts are translated.

        Args:
            samples: [samples] float32 each, mono at `audio.features.SAMPLE_RATE`.
            beam_size: 1 is greedy; None: that of the export.
            batch_size: utterances per batch.

        Raises:
            UserError: an utterance is of another type or shape, or has values that are no numbers.
            ValueError: as `DecodingOptions`.
        """
        beam = self.beam_size if beam_size is None else beam_size
        ranked = self.hypotheses(samples, DecodingOptions(beam_size=beam, batch_size=batch_size))
        return [hypotheses[0].text if hypotheses else "" for hypotheses in ranked]

    def hypotheses(
        self, samples: Sequence[np.ndarray], options: DecodingOptions = DEFAULT_DECODING
    ) -> list[list[Hypothesis]]:
        """The best translations of each utterance, best first; none for silence. As `translate_utterances`."""
        most = int(self.max_seconds * SAMPLE_RATE)
        parts = [[*_split(_checked(each, number), most)] for number, each in enumerate(samples)]
        return self._search.hypotheses_of_parts([[*map(self._frames, own)] for own in parts], options)

    def _frames(self, samples: np.ndarray) -> Frames:
        return frames_of(log_mel(samples), self.stack) if has_sound(samples) else None


def most_tokens(stack: int, frames: int) -> int:
    """How many tokens the translation of so many frames of `stack` mel frames has at most."""
    return _FEWEST_TOKENS + _TOKENS_PER_SECOND * frames * stack // FRAMES_PER_SECOND


def _checked(samples: np.ndarray, number: int) -> np.ndarray:
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
        kind = f"{samples.dtype} {samples.shape}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise UserError(f"samples[{number}] is {kind}: give [samples] of float32, mono at {SAMPLE_RATE} Hz")
    if not np.isfinite(samples).all():
        raise UserError(f"samples[{number}] has values that are no numbers: give samples from -1 to 1")
    return samples


def _sizes(path: Path, manifest: ExportManifest) -> tuple[int, float]:
    """Mel frames in a frame, and seconds of the longest utterance that a model reads.

    Raises:
        UserError: one is missing or impossible.
    """
    stack, seconds = manifest.get("stack"), manifest.get("max_seconds")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if type(stack) is not int or seconds is None or not (is_number and 0 < stack <= 64 and 0.1 <= seconds <= 600):
        raise UserError(f"{path}: distilmt.json has no valid stack and max_seconds: copy or export the model again")
    return stack, float(seconds)


def has_sound(samples: np.ndarray) -> bool:
    """Whether samples [samples] are more than silence."""
    return len(samples) > 0 and float(_power(samples).max()) > _SILENCE**2


def _power(samples: np.ndarray) -> np.ndarray:
    """Mean square of every 10 ms without a constant offset, [frames]."""
    padded = np.zeros(-(-len(samples) // HOP) * HOP, np.float32)
    padded[: len(samples)] = samples - samples.mean()
    power: np.ndarray = np.square(padded.reshape(-1, HOP)).mean(1)
    return power


def _split(samples: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Samples in parts of at most so many, cut at the quietest 0.1 s near the middle."""
    if len(samples) <= most:
        yield samples
        return
    smooth = np.convolve(_power(samples), np.full(10, 0.1, np.float32), "same")
    first, last = len(smooth) // 3, max(len(smooth) // 3 + 1, 2 * len(smooth) // 3)
    cut = HOP * (first + int(smooth[first:last].argmin()))
    for part in (samples[:cut], samples[cut:]):
        yield from _split(part, most)
