"""Live speech on standard input: a line after every pause, while the recording goes on."""

import io
import json
import subprocess
import sys
import wave

import numpy as np
import pytest
from helpers import commands
from helpers.recordings import RATE, encoded, synthesized, tone, wav

from distilmt.recordings.live import live_blocks
from distilmt.utils.errors import UserError


def pcm(samples):
    return (samples * 32767).round().astype("<i2").tobytes()


def stream(data):
    return io.BufferedReader(io.BytesIO(data))


@pytest.fixture(scope="module")
def talk():
    pytest.importorskip("faster_whisper")
    silence = np.zeros(RATE, np.float32)
    sentences = [synthesized(text) for text in ("Two men are outside, near many bushes.", "A woman reads a newspaper.")]
    return np.concatenate([silence, sentences[0], silence, silence, sentences[1], silence])


@pytest.mark.parametrize("size", [None, 0, 0x7FFFFFFF])
def test_wav_of_any_stated_length_and_raw_samples_are_read(size):
    samples = tone(0.73)
    header = bytearray(wav(samples))
    if size is not None:  # programs that write to a pipe guess it
        header[40:44] = size.to_bytes(4, "little")
    for data in (bytes(header), pcm(samples), pcm(samples) + b"\0"):
        blocks = list(live_blocks(stream(data)))
        assert {len(block) for block in blocks[:-1]} == {RATE // 10}
        assert np.allclose(np.concatenate(blocks), samples, atol=1e-4)


def other_wav(channels, width, rate):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(bytes(4 * channels * width))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (other_wav(2, 2, RATE), "standard input has 16 bits, 2 channels and 16000 Hz: live speech needs 16 bits"),
        (other_wav(1, 1, 8000), "8 bits, 1 channels and 8000 Hz"),
        (wav(tone(0.1))[:30], "damaged wav header"),
        (b"ID3\x04 an mp3", "standard input is neither wav nor raw PCM: name the file, or use `arecord -q -f S16_LE"),
        (b"OggS and more", "neither wav nor raw PCM"),
    ],
)
def test_other_formats_are_one_line(data, message):
    with pytest.raises(UserError, match=message.replace("`", ".")) as error:
        list(live_blocks(stream(data)))
    assert "\n" not in str(error.value)


def test_lines_come_while_the_speech_goes_on(speech_student, talk):
    """The second sentence is written only after the first one's translation was read."""
    command = [sys.executable, "-m", "distilmt", "translate", str(speech_student), "--live", "-", "--json"]
    half = len(talk) // 2 // RATE * RATE
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=commands.environment()
    ) as process:
        process.stdin.write(pcm(talk[:half]))
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        remaining, errors = process.communicate(pcm(talk[half:]), timeout=120)
    (second,) = map(json.loads, remaining.splitlines())
    assert process.returncode == 0 and errors == b""
    assert first["translation"] and second["translation"]
    assert first["start"] == pytest.approx(1, abs=0.5) and first["end"] < second["start"] < second["end"]


def test_subtitles_of_live_speech_and_silence(speech_student, talk):
    result = commands.distilmt("translate", speech_student, "--live", "--format", "srt", input=wav(talk))
    assert result.returncode == 0 and result.stdout.startswith(b"1\n00:00:0") and result.stdout.count(b" --> ") >= 2
    result = commands.distilmt("translate", speech_student, "--live", input=pcm(tone(2)))
    assert (result.returncode, result.stdout) == (0, b"")
    assert result.stderr == b"distilmt: standard input: no speech found, nothing is written\n"


def test_a_compressed_file_is_refused(speech_student):
    pytest.importorskip("av")
    result = commands.distilmt("translate", speech_student, "--live", input=encoded(tone(1), "flac", "flac"))
    assert "neither wav nor raw PCM" in commands.error_line(result)
