"""Samples of sound to the frames that an encoder reads: the same functions in training and in use.

The front end is Whisper's, so that its encoder and its users' programs read the same numbers.
"""

from __future__ import annotations

import functools
import math

import numpy as np

SAMPLE_RATE = 16_000
"""Samples a second of all that this package returns and reads."""
MELS = 80
HOP = 160
"""Samples from a frame to the next: 10 ms."""
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
STEP = 64
"""Mel frames of which `frames_of` makes a whole number: 0.64 s."""
_WINDOW = 400
"""Samples that a frame sees: 25 ms."""
_FLOOR = 1e-10
"""The least power: digital silence."""
_RANGE = 8.0
"""Powers of ten below the loudest value of an utterance at which values are cut off."""
_BLOCK = 512
"""Frames that are computed at once, so that they stay in the cache of a core."""


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel frames of an utterance, as Whisper's feature extractor computes them.

    The loudest value of the utterance decides at which level quiet ones are cut off. Silence after the utterance
    changes nothing in the frames before it.

    Args:
        samples: [samples] float32 from -1 to 1, mono, at `SAMPLE_RATE`.

    Returns:
        [frames, MELS] float32, a frame for every begun 10 ms. No value is below -1.5, which is digital silence.
    """
    power = _mel_power(np.asarray(samples, np.float32))
    np.log10(np.maximum(power, _FLOOR, out=power), out=power)
    np.maximum(power, power.max(initial=-math.inf) - _RANGE, out=power)
    power += 4
    power /= 4
    return power


def frames_of(mel: np.ndarray, stack: int) -> np.ndarray:
    """Mel frames side by side, after silence up to a whole number of steps of `STEP` mel frames.

    CTranslate2 has no mask for the encoder: only sources of one length make a batch, and an encoder hears what fills
    them up. Therefore utterances end with silence here, in training too.

    Args:
        mel: [frames, mels] float32 of `log_mel`.
        stack: mel frames that one frame holds, a power of two of at most `STEP` / 2.

    Returns:
        [frames, stack · mels] float32. Their number is even, because two frames become one position of the encoder.
    """
    frames, mels = mel.shape
    padded = np.full((frame_count(frames, stack) * stack, mels), _silence(mel), np.float32)
    padded[:frames] = mel
    return padded.reshape(-1, stack * mels)


def frame_count(mel_frames: int, stack: int) -> int:
    """Frames that `frames_of` makes of mel frames; a second has `FRAMES_PER_SECOND` of these.

    Raises:
        ValueError: the stack does not divide a step into an even number of frames.
    """
    if stack < 1 or STEP % (2 * stack):
        raise ValueError(f"a frame of {stack} mel frames: use a power of two from 1 to {STEP // 2}")
    return -(-mel_frames // STEP) * STEP // stack


def _silence(mel: np.ndarray) -> float:
    """The value of digital silence beside these frames: `log_mel` cuts it off at their loudest value."""
    return max(float(mel.max(initial=-math.inf)) - _RANGE / 4, (math.log10(_FLOOR) + 4) / 4)


def _mel_power(samples: np.ndarray) -> np.ndarray:
    """Power of the mel bands, [frames, MELS]: windows around every 10 ms; the start is mirrored, the end is silent."""
    frames = -(-len(samples) // HOP)
    half = _WINDOW // 2
    padded = np.zeros(max(frames * HOP, HOP) + 2 * _WINDOW, np.float32)
    padded[half : half + len(samples)] = samples
    padded[:half] = padded[2 * half : half : -1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: frames * HOP : HOP]
    power = np.empty((frames, MELS), np.float32)
    for start in range(0, frames, _BLOCK):
        spectrum = np.fft.rfft(windows[start : start + _BLOCK] * _hann())  # [block, bins] complex64
        power[start : start + _BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ mel_filters()
    return power


@functools.cache
def _hann() -> np.ndarray:
    window: np.ndarray = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    return window


@functools.cache
def mel_filters() -> np.ndarray:
    """Triangles of equal area from the bins of a spectrum to mel bands, [bins, MELS] float32, on Slaney's scale."""
    corners = _hertz(np.linspace(0, _mels(SAMPLE_RATE / 2), MELS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, _WINDOW // 2 + 1)[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (corners[2:] - corners[:-2])
    filters: np.ndarray = triangles.astype(np.float32)
    return filters


_LINEAR_HERTZ, _LINEAR_MELS = 1000.0, 15.0
"""Slaney's scale: up to 1000 Hz, which is 15 mel, it is linear; above, 27 mel are a factor of 6.4."""
_PER_MEL = math.log(6.4) / 27


def _mels(hertz: float) -> float:
    return _LINEAR_MELS + math.log(hertz / _LINEAR_HERTZ) / _PER_MEL


def _hertz(mels: np.ndarray) -> np.ndarray:
    linear = mels * _LINEAR_HERTZ / _LINEAR_MELS
    hertz: np.ndarray = np.where(mels < _LINEAR_MELS, linear, _LINEAR_HERTZ * np.exp(_PER_MEL * (mels - _LINEAR_MELS)))
    return hertz
