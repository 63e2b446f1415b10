"""Recordings to samples, within bounds: what a file expands to is counted while it is decoded.

FFmpeg's libraries decode, by PyAV. They read the file alone: formats that name other files, such as playlists, are
refused, and no picture of a video is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.audio.tracks import AudioLimits, stated_seconds, track_samples
from distilmt.utils.errors import TooLargeError, UserError
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import InputContainer

SUFFIXES = tuple(
    f".{suffix}"
    for suffix in (
        *("wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "aac", "aiff", "aif", "caf", "amr", "au", "wma", "3gp"),
        *("mp4", "m4v", "mov", "mkv", "mka", "webm", "avi", "ts"),
    )
)
"""Of recordings; the second row is video, of which the sound is read."""
_CONTAINERS = "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,amr,mov,matroska,avi,mpegts,asf"
_CODECS = (
    "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,alac,amrnb,amrwb,eac3,flac,gsm,gsm_ms,libopencore_amrnb,"
    "libopencore_amrwb,libopus,libvorbis,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,pcm_alaw,pcm_f32be,pcm_f32le,"
    "pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,pcm_u8,speex,"
    "vorbis,wmav1,wmav2"
)
_UNKNOWN_SIZE, _MISSING_SHARE = 0x7FFF0000, 0.02
_OPTIONS = {"format_whitelist": _CONTAINERS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
WHOLE, LONG = AudioLimits(), AudioLimits(max_seconds=12 * 3600)
"""For recordings that are read at once, and in blocks."""


def is_recording(path: str | Path) -> bool:
    """Whether a file is a recording or video by its extension."""
    return Path(path).suffix.lower() in SUFFIXES


def read_audio(source: Path | BinaryIO, limits: AudioLimits = WHOLE) -> np.ndarray:
    """Samples of a recording or of the sound of a video.

    Args:
        source: a file, or its content, which must be seekable. What it is decides, not the extension of its name.
        limits: what it may have at most. An hour takes 230 MB, and twice as much while it is read.

    Returns:
        [samples] float32 from -1 to 1, the mean of all channels at `SAMPLE_RATE`. The first sample is at the start of
        the recording: where its sound starts later than its pictures, silence is before it.

    Raises:
        UserError: it is no recording, damaged, incomplete, without sound, beyond the limits, or PyAV is missing.
    """
    return np.concatenate([*_pieces(source, limits)])


def audio_blocks(source: Path | BinaryIO, seconds: float = 30, limits: AudioLimits = LONG) -> Iterator[np.ndarray]:
    """Samples of a recording in blocks, in as much memory as a block needs.

    Args:
        source: as in `read_audio`.
        seconds: length of a block.
        limits: what the recording may have at most.

    Yields:
        [samples] float32 as in `read_audio`, all but the last one of a length.

    Raises:
        UserError: as `read_audio`; that a recording is incomplete only after its last block.
    """
    size = max(1, int(seconds * SAMPLE_RATE))
    waiting, count = [], 0
    for piece in _pieces(source, limits):
        waiting.append(piece)
        count += len(piece)
        if count >= size:
            samples = np.concatenate(waiting)
            remainder = count % size
            yield from np.split(samples[: count - remainder], count // size)
            waiting, count = [samples[count - remainder :].copy()], remainder
    if count:
        yield np.concatenate(waiting)


def duration(source: Path | BinaryIO, limits: AudioLimits = LONG) -> float | None:
    """Seconds of a recording by its header, None where that does not state them; nothing is decoded.

    Raises:
        UserError: as `read_audio`, as far as the header shows it.
    """
    with explained("reading recordings"):
        import av  # noqa: F401
    name = _name(source)
    with _opened(source, name) as file:
        _check_bytes(file, name, limits)
        with _container(file, name) as container:
            return stated_seconds(container, _audio_stream(container, name, limits))


def _pieces(source: Path | BinaryIO, limits: AudioLimits) -> Iterator[np.ndarray]:
    """Samples as they are decoded, in pieces of at most some seconds."""
    with explained("reading recordings"):
        import av
    name = _name(source)
    with _opened(source, name) as file:
        _check_bytes(file, name, limits)
        try:
            with _container(file, name) as container:
                stream = _audio_stream(container, name, limits)
                yield from track_samples(container, stream, limits, name)
        except (av.error.FFmpegError, ArithmeticError, ValueError) as error:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:120] or type(error).__name__
            raise UserError(f"{name} is damaged ({reason}): copy it again, or convert it to WAV") from None
        except MemoryError:
            raise TooLargeError(f"{name} needs more memory than there is: convert it to 16 kHz WAV") from None


def _name(source: Path | BinaryIO) -> str:
    name = source if isinstance(source, Path) else getattr(source, "name", None)
    return str(name) if isinstance(name, str | Path) else "the recording"


def _opened(source: Path | BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
    if not isinstance(source, Path):
        return nullcontext(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}: check the file") from None


def _check_bytes(file: BinaryIO, name: str, limits: AudioLimits) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > limits.max_bytes:
        raise TooLargeError(f"{name} has more than {limits.max_bytes >> 20} MB: split it, or compress it")
    if not size:
        raise UserError(f"{name} is empty: name a recording")
    head = file.read(8)
    file.seek(0)
    stated = int.from_bytes(head[4:], "little") + len(head)
    # Programs that write to a pipe, or are stopped, state about 2 or 4 GB.
    if head[:4] == b"RIFF" and stated < _UNKNOWN_SIZE and stated - size > _MISSING_SHARE * stated:
        raise UserError(f"{name} has {size:,} of {stated:,} bytes: it is incomplete, copy it again")


def _container(file: BinaryIO, name: str) -> InputContainer:
    import av

    try:
        return av.open(file, "r", options=_OPTIONS, metadata_errors="ignore")
    except av.error.FFmpegError:
        remedy = "copy it again, or use WAV, FLAC, MP3, M4A, Ogg or MP4"
        raise UserError(f"{name} is not a recording that can be read, or is cut off: {remedy}") from None


def _audio_stream(container: InputContainer, name: str, limits: AudioLimits) -> AudioStream:
    import av

    if len(container.streams) > limits.max_streams:
        raise TooLargeError(f"{name} has more than {limits.max_streams} tracks: keep the one with the voice")
    if not container.streams.audio:
        raise UserError(f"{name} has no sound: name a recording, or a video with sound")
    stream = container.streams.best("audio") or container.streams.audio[0]
    assert isinstance(stream, av.AudioStream)
    codec = stream.codec_context.codec.name if stream.codec_context else "unknown"
    if codec not in _CODECS.split(","):
        raise UserError(f"{name} is encoded as {codec}, which is not read: convert it to WAV or FLAC")
    return stream
