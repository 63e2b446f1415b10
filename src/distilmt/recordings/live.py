"""Live speech: samples that a program such as arecord writes to a pipe, while they are spoken."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Iterator
from queue import Queue

import numpy as np

from distilmt.audio.features import SAMPLE_RATE
from distilmt.utils.errors import UserError

COMMAND = f"arecord -q -f S16_LE -r {SAMPLE_RATE} -c 1 -t raw"
_BLOCK = SAMPLE_RATE // 10
"""Samples of a block: 0.1 s."""
_WAITING = 600
"""Blocks that wait for the model at most: a minute."""
_BYTES = 2
"""Of a sample."""
_OTHER_FORMATS = (b"ID3", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"\xff\xfb", b"FORM")
"""How other files begin: mp3, ogg, flac, Matroska, mp3 again, aiff."""


def live_blocks(stream: io.BufferedReader) -> Iterator[np.ndarray]:
    """Blocks of samples as they arrive, [samples] float32; they are read while earlier ones are translated.

    Args:
        stream: wav or raw PCM: 16 bits, little-endian, mono, 16 kHz.

    Raises:
        UserError: it is of another format.
    """
    _skip_header(stream)
    blocks: Queue[np.ndarray | None] = Queue(_WAITING)
    threading.Thread(target=_read, args=(stream, blocks), daemon=True, name="live").start()
    while (block := blocks.get()) is not None:
        yield block


def _read(stream: io.BufferedReader, blocks: Queue[np.ndarray | None]) -> None:
    try:
        while len(data := stream.read(_BYTES * _BLOCK)) >= _BYTES:
            whole = data[: len(data) // _BYTES * _BYTES]
            blocks.put(np.frombuffer(whole, "<i2").astype(np.float32) / 32768)
    finally:
        blocks.put(None)


def _skip_header(stream: io.BufferedReader) -> None:
    """Read the header of a wav file, if there is one. The length in it is a guess of whoever writes to a pipe."""
    start = stream.peek(4)[:4]
    if start.startswith(_OTHER_FORMATS):
        raise UserError(f"standard input is neither wav nor raw PCM: name the file, or use `{COMMAND} | …`")
    if start != b"RIFF":
        return
    try:
        header = wave.open(stream)  # not closed: the samples follow  # noqa: SIM115
        form = (header.getsampwidth(), header.getnchannels(), header.getframerate())
    except (wave.Error, EOFError) as error:
        raise UserError(f"standard input has a damaged wav header ({error}): use `{COMMAND} | …`") from None
    if form != (_BYTES, 1, SAMPLE_RATE):
        width, channels, rate = form
        raise UserError(
            f"standard input has {8 * width} bits, {channels} channels and {rate} Hz: live speech needs 16 bits, one "
            f"channel and {SAMPLE_RATE} Hz, as by `{COMMAND} | …`"
        )
