"""Samples as a wav file, which every player opens."""

from __future__ import annotations

import io
import wave

import numpy as np

from distilmt.audio.features import SAMPLE_RATE


def wav_bytes(samples: np.ndarray) -> bytes:
    """A mono wav file of 16 bits.

    Args:
        samples: [samples] float32 at `SAMPLE_RATE`; what is beyond -1 and 1 is cut off.
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
