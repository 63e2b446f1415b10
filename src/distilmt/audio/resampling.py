"""Samples at another rate: FFmpeg's resampler, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.utils.extras import explained


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples of another rate at `SAMPLE_RATE`.

    With a wrong rate the sound becomes higher or lower, and shorter or longer by the same factor.

    Args:
        samples: [samples] float32, mono.
        rate: samples a second.

    Raises:
        UserError: PyAV is missing.
    """
    if rate == SAMPLE_RATE or not len(samples):
        return samples
    return np.concatenate([*_pieces(np.ascontiguousarray(samples, np.float32), rate)])


def _pieces(samples: np.ndarray, rate: int) -> Iterator[np.ndarray]:
    with explained("reading recordings"):
        from av import AudioFrame, AudioResampler
    resampler = AudioResampler("fltp", "mono", SAMPLE_RATE)
    frame = AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    for source in (frame, None):
        for each in resampler.resample(source):
            if each is not None:
                yield each.to_ndarray()[0].astype(np.float32)
