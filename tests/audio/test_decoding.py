"""Recordings of every format become the same samples; what is none, or too much, gives one line."""

import io
import re
import struct
import tracemalloc

import numpy as np
import pytest
from helpers.recordings import RATE, encoded, tone, wav

from distilmt.audio.decoding import audio_blocks, duration, is_recording, read_audio
from distilmt.audio.tracks import AudioLimits
from distilmt.utils.errors import TooLargeError, UserError

av = pytest.importorskip("av")

FORMATS = [
    *(("wav", "pcm_s16le"), ("wav", "pcm_u8"), ("wav", "pcm_f32le"), ("wav", "pcm_mulaw"), ("wav", "adpcm_ima_wav")),
    *(("w64", "pcm_s24le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16be"), ("flac", "flac"), ("ogg", "flac")),
    *(("ogg", "libopus"), ("ogg", "vorbis"), ("mp3", "libmp3lame"), ("ipod", "aac"), ("mov", "alac")),
    *(
        ("adts", "aac"),
        ("matroska", "libopus"),
        ("webm", "libopus"),
        ("mp4", "aac"),
        ("mpegts", "mp2"),
    ),
]


def read(data: bytes, **limits: object) -> np.ndarray:
    return read_audio(io.BytesIO(data), AudioLimits(**limits))


@pytest.mark.parametrize(("form", "codec"), FORMATS)
def test_every_format_gives_the_samples(form, codec) -> None:
    rate = 48_000 if codec in ("libopus", "vorbis") else 44_100
    pair = np.tile(tone(1, rate=rate), (2, 1)) if codec == "vorbis" else tone(1, rate=rate)
    samples = read(encoded(pair, form, codec, rate))
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert RATE <= len(samples) <= RATE + 2500  # the frames of codecs are long
    spectrum = np.abs(np.fft.rfft(samples[:RATE]))
    assert abs(spectrum.argmax() - 440) <= 1
    assert 0.4 < np.abs(samples[RATE // 4 : 3 * RATE // 4]).max() < 0.6


@pytest.mark.parametrize(("form", "codec"), [("wav", "pcm_f32le"), ("flac", "flac")])
def test_samples_at_16_khz_are_exact(form, codec) -> None:
    np.testing.assert_allclose(read(encoded(tone(0.3), form, codec)), tone(0.3), atol=2e-5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 48_000, 96_000, 192_000])
def test_any_rate_becomes_16_khz(rate) -> None:
    samples = read(encoded(tone(0.5, rate=rate), rate=rate))
    assert abs(len(samples) - RATE // 2) <= 40
    inner = slice(400, 7000)
    np.testing.assert_allclose(samples[inner], tone(0.5)[inner], atol=0.02)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels) -> None:
    both = np.zeros((channels, RATE // 2), np.float32)
    both[0], both[1] = tone(0.5), 0.5 * tone(0.5)
    np.testing.assert_allclose(read(encoded(both)), 1.5 / channels * tone(0.5), atol=1e-4)


def test_values_that_are_no_numbers_and_too_large_ones() -> None:
    samples = tone(0.1)
    samples[[100, 200, 300]] = np.nan, np.inf, 7
    decoded = read(encoded(samples, "wav", "pcm_f32le"))
    assert decoded[100] == decoded[200] == 0 and decoded[300] == 1


def test_a_file_by_its_path(tmp_path) -> None:
    path = tmp_path / "talk.txt"
    path.write_bytes(wav(tone(0.2)))
    np.testing.assert_allclose(read_audio(path), tone(0.2), atol=1e-4)
    assert not is_recording(path) and is_recording("a/TALK.Mp3")


def test_the_stated_length() -> None:
    assert duration(io.BytesIO(wav(tone(1.5)))) == pytest.approx(1.5)
    assert duration(io.BytesIO(flac_that_states(200_000))) == pytest.approx(200_000)
    assert duration(io.BytesIO(encoded(tone(1), "adts", "aac"))) is None
    with pytest.raises(UserError, match="has no sound"):
        duration(io.BytesIO(pictures_without_sound()))


def test_blocks_are_the_recording_in_parts() -> None:
    data = encoded(tone(1.1), "ogg", "flac")
    blocks = [*audio_blocks(io.BytesIO(data), 0.25)]
    assert [len(each) for each in blocks] == [4000, 4000, 4000, 4000, 1600]
    np.testing.assert_array_equal(np.concatenate(blocks), read(data))


def test_sound_that_starts_after_the_pictures_is_at_its_time() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 16
        audio = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number in range(30):
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray((tone(1) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts = RATE, 2 * RATE
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    samples = read(file.getvalue())
    assert len(samples) == 3 * RATE and not samples[: 2 * RATE].any()
    np.testing.assert_allclose(samples[2 * RATE :], tone(1), atol=1e-4)


def pictures_without_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 16
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
        container.mux(video.encode(None))
    return file.getvalue()


def flac_that_states(seconds: int) -> bytes:
    """A short FLAC file whose header states a length."""
    data = bytearray(encoded(tone(0.2), "flac", "flac"))
    start = data.index(b"fLaC") + 8 + 13
    data[start] = data[start] & 0xF0 | (seconds * RATE) >> 32
    data[start + 1 : start + 5] = struct.pack(">I", (seconds * RATE) & 0xFFFFFFFF)
    return bytes(data)


def wav_header(channels: int, rate: int, data: bytes) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
FAULTS = {
    "empty": (lambda: b"", "is empty: name a recording"),
    "text": (
        lambda: b"Two men are outside.\n" * 50,
        "is not a recording that can be read, or is cut off: copy it again",
    ),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), "is not a recording that can be read"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(200), "is not a recording that can be read"),
    "playlist": (lambda: PLAYLIST, "is not a recording that can be read"),
    "list of files": (lambda: b"ffconcat version 1.0\nfile /etc/hostname\n", "is not a recording that can be read"),
    "no sound": (pictures_without_sound, "has no sound: name a recording, or a video with sound"),
    "no samples": (lambda: wav(np.zeros(0, np.float32)), "holds no sound that can be decoded"),
    "days": (lambda: flac_that_states(200_000), "is longer than 60 minutes: split it"),
    "cut off": (lambda: wav(tone(4))[:60_000], "has 60,000 of 128,044 bytes: it is incomplete, copy it again"),
    "cut off flac": (
        lambda: encoded(np.random.default_rng(0).uniform(-1, 1, 64_000).astype(np.float32), "flac", "flac")[:60_000],
        "of 4.0 seconds: it is incomplete",
    ),
    "cut off m4a": (
        lambda: encoded(tone(2), "ipod", "aac")[:2000],
        "is not a recording that can be read, or is cut off",
    ),
    "one hertz": (lambda: wav_header(1, 1, bytes(4000)), "has 1 samples a second"),
    "channels": (lambda: wav_header(40, RATE, bytes(40 * 2 * RATE)), "has 40 channels, more than 16"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_recording_gives_one_line(fault, tmp_path) -> None:
    content, message = FAULTS[fault]
    path = tmp_path / "talk.wav"
    path.write_bytes(content())
    with pytest.raises(UserError, match=re.escape(message)) as error:
        [*audio_blocks(path, limits=AudioLimits())]
    assert str(error.value).startswith(f"{path} ") and "\n" not in str(error.value)


def test_a_file_that_does_not_exist(tmp_path) -> None:
    with pytest.raises(UserError, match=r"talk\.mp3 cannot be read: No such file"):
        read_audio(tmp_path / "talk.mp3")


def test_limits_hold_where_the_header_does_not_state_the_length() -> None:
    data = encoded(tone(3), "ogg", "flac")
    assert len(read(data, max_seconds=3)) == 3 * RATE
    with pytest.raises(TooLargeError, match=r"the recording is longer than 0\.0333333 minutes"):
        read(data, max_seconds=2)
    with pytest.raises(TooLargeError, match="has more than 1 MB: split it"):
        read(wav(np.zeros(RATE * 40, np.float32)), max_bytes=2**20)


def test_a_damaged_packet_is_left_out() -> None:
    data = bytearray(encoded(tone(2), "mp3", "libmp3lame"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    assert abs(len(read(bytes(data))) - 2 * RATE) < 5000


def test_a_long_recording_is_read_in_the_memory_of_a_block() -> None:
    """Five minutes are 19 MB, a block is 0.6 MB."""
    file = io.BytesIO(wav(np.tile(tone(1, rate=4000), 300), 4000))
    tracemalloc.start()
    count = sum(len(block) for block in audio_blocks(file, 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(count - 300 * RATE) < 100 and peak < 4e6
