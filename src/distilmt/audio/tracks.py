"""The sound of an opened recording: decoded packets to samples at the times that the recording states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.utils.errors import TooLargeError, UserError

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler, AudioStream
    from av.container import InputContainer

_EXACT = {"wav", "w64", "aiff", "au", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2"}
"""Containers that state their length; that of others is an estimate, or unknown at their beginning."""
_MISSING_SECONDS, _MISSING_SHARE = 1.0, 0.02
"""Of the stated length: more is missing only where a file was cut off."""
_MIN_GAP = 0.1
"""Seconds without samples that become silence, so that what follows keeps its time; shorter ones are rounding."""
_MIN_RATE, _MAX_RATE = 4_000, 768_000
"""Samples a second of what is decoded; lower rates have no speech, and would become many samples from few bytes."""


@dataclass(frozen=True)
class AudioLimits:
    """What a recording may have at most."""

    max_seconds: float = 3600
    max_bytes: int = 4 * 2**30
    max_channels: int = 16
    max_streams: int = 64
    """Tracks of sound, pictures and subtitles."""


def track_samples(
    container: InputContainer, stream: AudioStream, limits: AudioLimits, name: str
) -> Iterator[np.ndarray]:
    """Samples of a track, [samples] float32 at `SAMPLE_RATE`, in pieces.

    Raises:
        UserError: it is longer than the limit or than what the file holds, or nothing of it can be decoded.
    """
    stated = stated_seconds(container, stream)
    if stated is not None and stated > limits.max_seconds:
        raise TooLargeError(_too_long(limits, name))
    count = 0
    for piece in _timed(container, stream, limits, name):
        count += len(piece)
        if count > limits.max_seconds * SAMPLE_RATE:
            raise TooLargeError(_too_long(limits, name))
        yield piece
    if not count:
        raise UserError(f"{name} holds no sound that can be decoded: copy it again, or record it again")
    if stated is not None and stated - count / SAMPLE_RATE > max(_MISSING_SECONDS, _MISSING_SHARE * stated):
        seconds = f"after {count / SAMPLE_RATE:.1f} of {stated:.1f} seconds"
        raise UserError(f"{name} ends {seconds}: it is incomplete, copy it again")


def stated_seconds(container: InputContainer, stream: AudioStream) -> float | None:
    """Length of the track where the container states it exactly."""
    if container.format.name not in _EXACT or not stream.duration or not stream.time_base:
        return None
    return float(stream.duration * stream.time_base)


def _too_long(limits: AudioLimits, name: str) -> str:
    minutes = limits.max_seconds / 60
    length = f"{minutes / 60:g} hours" if minutes >= 120 else f"{minutes:g} minutes"
    return f"{name} is longer than {length}: split it"


def _timed(container: InputContainer, stream: AudioStream, limits: AudioLimits, name: str) -> Iterator[np.ndarray]:
    """Samples, with silence in gaps between time stamps and before sound that starts later than the recording."""
    start = (container.start_time or 0) / 1e6
    end = (container.duration or 0) / 1e6 + 1
    resampler, clock = _Resampler(), 0.0
    for frame in _frames(container, stream):
        _check_frame(frame, limits, name)
        gap = float(frame.pts * frame.time_base) - start - clock if frame.pts is not None and frame.time_base else 0
        if _MIN_GAP < gap < end - clock:  # time stamps beyond the end are damaged
            yield from resampler.flush()
            yield from _silence(gap)
            clock += gap
        clock += frame.samples / frame.sample_rate
        yield from resampler.resampled(frame)
    yield from resampler.flush()


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decoded frames; damaged packets are left out, as players do."""
    import av

    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from frames


def _check_frame(frame: AudioFrame, limits: AudioLimits, name: str) -> None:
    channels = frame.layout.nb_channels
    if channels > limits.max_channels:
        raise TooLargeError(f"{name} has {channels} channels, more than {limits.max_channels}: mix them down to one")
    if not _MIN_RATE <= frame.sample_rate <= _MAX_RATE:
        raise UserError(f"{name} has {frame.sample_rate} samples a second, which is no speech: convert it to 16 kHz")


def _silence(seconds: float) -> Iterator[np.ndarray]:
    samples = round(seconds * SAMPLE_RATE)
    for start in range(0, samples, SAMPLE_RATE):
        yield np.zeros(min(SAMPLE_RATE, samples - start), np.float32)


class _Resampler:
    """Decoded frames to samples; a new resampler for every format, as a recording may change it."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def resampled(self, frame: AudioFrame) -> Iterator[np.ndarray]:
        from av import AudioResampler

        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._format:
            yield from self.flush()
            self._resampler, self._format = AudioResampler("fltp", rate=SAMPLE_RATE), form
        assert self._resampler is not None
        frame.pts = None  # times are counted by the caller
        for each in self._resampler.resample(frame):
            yield _mono(each)

    def flush(self) -> Iterator[np.ndarray]:
        """What the filter still holds."""
        resampler, self._resampler, self._format = self._resampler, None, None
        for each in resampler.resample(None) if resampler else []:
            if each is not None:  # where there was nothing to resample
                yield _mono(each)


def _mono(frame: AudioFrame) -> np.ndarray:
    """Mean of the channels; values that are no numbers are silence."""
    channels = np.nan_to_num(np.asarray(frame.to_ndarray(), np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    samples: np.ndarray = channels.clip(-1, 1).mean(0, dtype=np.float32)
    return samples
