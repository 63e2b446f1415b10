"""Recordings made in code: tones, files of any format, and sentences spoken by espeak-ng where it is installed."""

import io
import shutil
import subprocess
import wave
from fractions import Fraction

import numpy as np
import pytest

RATE = 16_000


def tone(seconds: float, hertz: float = 440, rate: int = RATE) -> np.ndarray:
    """A tone that swells and fades, [samples] float32 within ±0.5."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * times) * np.sin(np.pi * times / seconds)).astype(np.float32)


def encoded(
    samples: np.ndarray,
    form: str = "wav",
    codec: str = "pcm_s16le",
    rate: int = RATE,
    start: float = 0.0,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file of samples [samples] or [channels, samples]; its first sample has the time `start`.

    Args:
        samples: the sound.
        form: container, in FFmpeg's words.
        codec: codec, in FFmpeg's words.
        rate: samples per second.
        start: seconds.
        options: of the container.
    """
    av = pytest.importorskip("av")
    channels = np.atleast_2d(samples)
    file = io.BytesIO()
    with av.open(file, "w", format=form, options=options or {}) as container:
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
        stream = container.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), "fltp", stream.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, round(start * rate), Fraction(1, rate)
        resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size or 1024)
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            if each is not None:
                container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file of 16 bits without PyAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return file.getvalue()


def synthesized(text: str, *options: str) -> np.ndarray:
    """A sentence by espeak-ng, [samples] float32; skips the test where it is not installed."""
    if not shutil.which("espeak-ng"):
        pytest.skip("espeak-ng is not installed")
    file = subprocess.run(["espeak-ng", "--stdout", *options, text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(file)) as reader:
        rate = reader.getframerate()
    samples = np.frombuffer(file[44:], "<i2").astype(np.float32) / 32768
    times = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
    return np.interp(times, np.arange(len(samples)), samples).astype(np.float32)


def music(seconds: float) -> np.ndarray:
    """Chords with overtones over a beat, [samples] float32."""
    times, noise = np.arange(RATE // 2) / RATE, np.random.default_rng(0)
    beats = []
    for root in 220 * 2 ** (noise.integers(0, 12, int(2 * seconds)) / 12):
        notes = [
            np.sin(2 * np.pi * root * step * over * times) / over for step in (1, 1.26, 1.5) for over in range(1, 7)
        ]
        drum = noise.standard_normal(len(times)) * np.exp(-times * 50)
        beats.append(0.1 * sum(notes) * np.exp(-4 * times) + 0.2 * drum)
    return np.concatenate(beats).astype(np.float32)
