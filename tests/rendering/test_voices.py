"""Voices: names of synthesizers, commands, and one line for what does not speak."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
from helpers.voices import write_voices

from distilmt.config.voices import VoicesConfig
from distilmt.rendering.voices import Voice, held_out_voices, training_voices, voices_of
from distilmt.utils.errors import UserError

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def python(code: str, *arguments: str) -> str:
    return shlex.join([sys.executable, "-I", "-S", "-c", code, *arguments])


def test_a_command_reads_text_and_writes_a_recording(tmp_path: Path) -> None:
    """On standard input and output, or as an argument and into a file."""
    command, _ = write_voices(tmp_path)
    (by_pipes,) = voices_of([command], "en", "voices")
    code = (tmp_path / "tones.py").read_text().replace("sys.stdin.buffer.read().decode('utf-8')", "")
    code = code.replace('sys.stdin.buffer.read().decode("utf-8")', "sys.argv[3]")
    code = code.replace("sys.stdout.buffer", "sys.argv[4]")
    (by_files,) = voices_of([python(code, "200", "{speed}", "{text}", "{wav}")], "en", "voices")
    sounds = [voice.synthesize("ban {wav} der", 1.0, 10) for voice in (by_pipes, by_files)]
    assert len(sounds[0]) == 13 * 640 and np.array_equal(*sounds)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (python("raise SystemExit('no model here')"), "cannot speak .*: no model here"),
        (python("print('hello')"), "writes no recording .*: let it write a wav file"),
        (python(""), "makes no sound of"),
        ("a-program-nobody-has --x", "there is no program 'a-program-nobody-has': install it"),
        ("espeak-ng 'x", "cannot be parsed .*: close its quotes"),
    ],
)
def test_a_silent_command_is_one_line(command: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        voices_of([command], "en", "voices")
    assert "\n" not in str(error.value)


def test_without_any_voice_the_remedy_is_named() -> None:
    with pytest.raises(UserError, match=r"voices \(flite:slt\): none of them .*'de': install espeak-ng"):
        voices_of(["flite:slt"], "de", "voices")


@needs_espeak
@pytest.mark.parametrize(("language", "name"), [("de", "de"), ("zh", "cmn"), ("pt-BR", "pt-BR")])
def test_the_language_stands_in_the_name(language: str, name: str) -> None:
    names = [voice.name for voice in training_voices(VoicesConfig(language=language))]
    assert names[:2] == [f"espeak-ng:{name}", f"espeak-ng:{name}+m1"] and all(name in each for each in names)


@needs_espeak
@needs_flite
def test_held_out_voices_are_no_training_voices() -> None:
    config = VoicesConfig(language="en")
    training, held_out = training_voices(config), held_out_voices(config)
    assert {voice.name.split(":")[0] for voice in training} == {"espeak-ng", "flite"}
    assert not {voice.name for voice in training} & {voice.name for voice in held_out}


@needs_espeak
def test_speed_is_the_synthesizers_own() -> None:
    (voice,) = voices_of(["espeak-ng:en-us+f2"], "en", "voices")
    slow, fast = (voice.synthesize("The weather of the next days.", speed, 20) for speed in (0.7, 1.4))
    assert 1.6 < len(slow) / len(fast) < 2.5


@needs_espeak
@pytest.mark.parametrize(
    ("name", "message"), [("espeak-ng:en+zz", "espeak-ng has no 'zz'"), ("flite:nobody", "flite has no 'nobody'")]
)
def test_unknown_voices_are_one_line(name: str, message: str) -> None:
    if shutil.which(name.split(":")[0]) is None:
        pytest.skip("the synthesizer is not installed")
    with pytest.raises(UserError, match=message):
        voices_of([name], "en", "voices")


def test_output_without_end_is_cut() -> None:
    header = (
        "RIFF____WAVEfmt \\x10\\0\\0\\0\\x01\\0\\x01\\0\\x80>\\0\\0\\0}\\0\\0\\x02\\0\\x10\\0data\\xff\\xff\\xff\\x7f"
    )
    code = f"import sys; out = sys.stdout.buffer; out.write(b'{header}')\nwhile True: out.write(b'ab' * 4096)"
    sound = Voice("endless", tuple(shlex.split(python(code)))).synthesize("text", 1.0, 2)
    assert 2 * 16_000 < len(sound) < 1 << 21
