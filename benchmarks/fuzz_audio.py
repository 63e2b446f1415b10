"""Fuzz the reader of recordings.

    python benchmarks/fuzz_audio.py --minutes 10 --seed 1

Recordings of every container and codec are made in code and damaged as in `fuzz_pictures.py`: heads more often than
sound. Each must give samples or one line of error within a minute, from a child process whose memory is printed. Half
of the seeds are read as the server reads a file, at once and for an hour at most; the others as `distilmt translate`
does, in blocks and for 12 hours at most. `--reproduce SEED` writes the file of a seed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from fuzz_pictures import damaged, fuzz, report_outcomes

from distilmt.audio.decoding import LONG, WHOLE, audio_blocks, duration, read_audio
from distilmt.audio.features import SAMPLE_RATE
from distilmt.utils.errors import UserError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers.recordings import encoded

FORMATS = (
    *(("wav", "pcm_s16le"), ("wav", "pcm_f32le"), ("wav", "adpcm_ima_wav"), ("wav", "pcm_mulaw"), ("w64", "pcm_s24le")),
    *(("aiff", "pcm_s16be"), ("caf", "pcm_s16be"), ("flac", "flac"), ("ogg", "flac"), ("ogg", "libopus")),
    *(("ogg", "vorbis"), ("mp3", "libmp3lame"), ("ipod", "aac"), ("ipod", "alac"), ("mov", "alac"), ("adts", "aac")),
    *(("matroska", "libopus"), ("webm", "libopus"), ("mpegts", "mp2")),
)
"""Containers and codecs, in FFmpeg's words; `ipod` is .m4a."""
SECONDS = 0.8
BLOCK_SECONDS = 5.0
LONGEST_MESSAGE = 400


def recording(form: str, codec: str, options: dict[str, str]) -> bytes:
    """A recording of a tone in noise with two channels."""
    rate, generator = 48_000, np.random.default_rng(1)
    times = np.arange(round(SECONDS * rate)) / rate
    sound = 0.4 * np.sin(2 * np.pi * 440 * times) + 0.05 * generator.standard_normal((2, len(times)))
    return encoded(sound.astype(np.float32), form, codec, rate, options=options)


def corpus() -> list[bytes]:
    """A file of every format; of .m4a one more, whose head is at the beginning."""
    files = [recording(form, codec, {}) for form, codec in FORMATS]
    return [*files, recording("ipod", "aac", {"movflags": "empty_moov+frag_keyframe"})]


def outcome(data: bytes, seed: int) -> str:
    """`samples` or `refused`; anything else is raised."""
    limits = WHOLE if seed % 2 else LONG
    try:
        duration(io.BytesIO(data))
        count = 0
        for block in pieces(data, seed):
            assert block.dtype == np.float32 and block.ndim == 1 and len(block)
            assert -1 <= block.min() <= block.max() <= 1  # false for values that are no numbers, too
            count += len(block)
        assert 0 < count <= limits.max_seconds * SAMPLE_RATE
        return "samples"
    except UserError as error:
        assert str(error).startswith("the recording") and "\n" not in str(error), error
        assert len(str(error)) < LONGEST_MESSAGE, error
        return "refused"


def pieces(data: bytes, seed: int) -> Iterator[np.ndarray]:
    if seed % 2:
        yield read_audio(io.BytesIO(data))
    else:
        yield from audio_blocks(io.BytesIO(data), BLOCK_SECONDS)


def work(connection: Connection, first: int) -> None:
    report_outcomes(connection, first, corpus(), outcome)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reproduce", type=int)
    given = parser.parse_args()
    if given.reproduce is not None:
        Path(f"seed-{given.reproduce}.bin").write_bytes(damaged(corpus(), given.reproduce))
        sys.exit()
    print(json.dumps(fuzz(given.minutes, given.seed, work, ("samples", "refused")), indent=2))
