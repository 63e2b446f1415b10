"""`distilmt translate` on recordings: text, subtitles, JSON; what is refused, and recordings without speech."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import commands
from helpers.recordings import RATE, encoded, synthesized, tone, wav

import distilmt
from distilmt.config.translate import TranslateConfig
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.recordings.files import translate_files
from distilmt.utils import progress
from distilmt.utils.errors import UserError

pytest.importorskip("av")
pytest.importorskip("faster_whisper")
SENTENCES = ("Two men are outside, near many bushes.", "A woman reads a newspaper in the garden.")


@dataclass
class Result:
    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: object, input: bytes = b"") -> Result:
    process = commands.distilmt(*arguments, input=input)
    return Result(process.returncode, process.stdout.decode(), process.stderr.decode())


@pytest.fixture(scope="session")
def talk() -> np.ndarray:
    """Two sentences with a second of silence before, between and after them."""
    silence = np.zeros(RATE, np.float32)
    first, second = map(synthesized, SENTENCES)
    return np.concatenate([silence, first, silence, second, silence])


@pytest.fixture
def mp3(tmp_path, talk) -> Path:
    (tmp_path / "talk.mp3").write_bytes(encoded(talk, "mp3", "mp3"))
    return tmp_path / "talk.mp3"


@pytest.fixture
def hum(tmp_path) -> Path:
    (tmp_path / "hum.wav").write_bytes(wav(tone(3)))
    return tmp_path / "hum.wav"


def test_text_and_json_of_recordings(speech_student, mp3, hum):
    result = run_command("translate", speech_student, mp3)
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and len(lines) == 2 and all(lines), result
    result = run_command("translate", speech_student, mp3, hum, "--json")
    talk, silent = map(json.loads, result.stdout.splitlines())
    assert [each["translation"] for each in talk["segments"]] == lines
    first, second = talk["segments"]
    starts, ends = (first["start"], second["start"]), (first["end"], second["end"])
    sentence = len(synthesized(SENTENCES[0])) / RATE
    assert np.allclose(starts, (1, 2 + sentence), atol=0.5) and np.allclose(ends[0], 1 + sentence, atol=0.5)
    assert ends[1] <= talk["seconds"] and talk["file"] == str(mp3)
    assert silent["segments"] == [] and silent["seconds"] == 3
    assert result.stderr == f"distilmt: {hum}: no speech found, nothing is written\n"


def test_a_full_standard_output_is_named(speech_student, mp3):
    program = (
        "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nfrom distilmt.cli import main\n"
        f"sys.exit(main(['translate', {str(speech_student)!r}, {str(mp3)!r}, '--format', 'srt']))"
    )
    process = commands.Process(program=program).completed()
    assert process.returncode == 2
    assert process.stderr.decode().splitlines()[-1].startswith("distilmt: error: standard output cannot be written")


def test_subtitles_and_a_directory_of_files(speech_student, mp3, hum, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "again.mp3").write_bytes(mp3.read_bytes())
    files = (mp3, hum, tmp_path / "again.mp3")
    result = run_command("translate", speech_student, *files, "--output", f"{out}/", "--format", "vtt")
    assert result.stdout.splitlines() == [str(out / "talk.vtt"), str(out / "again.vtt")], result
    assert sorted(path.name for path in out.iterdir()) == ["again.vtt", "talk.vtt"]
    assert f"{hum}: no speech found, nothing is written" in result.stderr
    vtt = (out / "talk.vtt").read_text()
    assert vtt.startswith("WEBVTT\n\n00:00:0") and vtt == (out / "again.vtt").read_text()
    run_command("translate", speech_student, mp3, "--output", out / "talk.srt")
    on_stdout = run_command("translate", speech_student, mp3, "--format", "srt").stdout
    assert on_stdout == (out / "talk.srt").read_text() and on_stdout.startswith("1\n00:00:0")
    assert on_stdout.count(" --> ") == vtt.count(" --> ") >= 2


def test_a_finished_file_stays_when_the_next_one_is_broken(speech_student, mp3, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    result = run_command("translate", speech_student, mp3, tmp_path / "broken.wav", "--output", tmp_path / "out/")
    assert result.returncode == 2 and "broken.wav" in result.stderr.splitlines()[-1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.txt"]


def test_progress_counts_seconds(speech_student, talk, tmp_path):
    (tmp_path / "talk.wav").write_bytes(wav(talk))

    class Listener:
        def __init__(self):
            self.started, self.seconds = [], 0.0

        def start(self, name, total, unit, done):
            self.started.append((name, total, unit))
            return self

        def advance(self, amount=1, **status):
            self.seconds += amount

        def finish(self, task):
            self.started.append("finished")

    listener, model = Listener(), SpeechTranslator(speech_student, threads=1)
    progress.set_listener(listener)
    try:
        for recording in translate_files(TranslateConfig(path="model", files=[str(tmp_path / "talk.wav")]), model):
            assert "".join(recording.texts())
    finally:
        progress.set_listener(None)
    (name, total, unit), end = listener.started
    assert (name, unit, end) == ("translating talk.wav", "seconds of audio", "finished")
    assert total == pytest.approx(listener.seconds, abs=0.2) == pytest.approx(len(talk) / RATE, abs=0.2)


def test_other_models_refuse_recordings(exported_model, picture_student, mp3):
    result = run_command("translate", exported_model, mp3)
    assert result.returncode == 2 and "is a recording, and" in result.stderr
    assert "name a student that reads speech (student.input: speech)" in result.stderr
    assert "--live is for speech" in run_command("translate", exported_model, "--live").stderr
    assert "the model reads pictures, not .mp3" in run_command("translate", picture_student, mp3).stderr
    assert "--live is for students that read speech" in run_command("translate", picture_student, "--live").stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "reads speech: name recordings after it (.wav .flac"),
        (("--text", "Hello"), "reads speech: --text is for other models, leave it out"),
        (("{mp3}", "--glossary", "a.tsv"), "--glossary is for other models, leave it out"),
        (("{mp3}", "--overlay", "a.png"), "--overlay is for other models, leave it out"),
        (("{mp3}", "--format", "md"), "the format of a file is given by its extension"),
        (("{mp3}", "--format", "srt", "--json"), "--json and --format srt exclude each other: give only one"),
        (("{mp3}", "--format", "srt", "--output", "{here}/a.vtt"), "--format srt writes .srt files"),
        (("{mp3}", "--output", "{here}/a.docx"), "use .txt, .srt, .vtt, .json, or a directory with /"),
        (("{mp3}", "{mp3}", "--format", "srt"), "need an output directory: add --output DIR"),
        (("{mp3}", "{mp3}", "--output", "{here}/a.srt"), "named like a file, but there are 2 translations"),
        (("{here}/none.mp3",), "does not exist, or is not a file: name recordings after the model"),
        (("{here}/a.txt",), "the model reads speech, not .txt: use .wav"),
        (("--live", "{mp3}"), "--live reads standard input: leave out"),
        (("--live", "-", "--output", "a.srt"), "use > a.srt instead of --output"),
        (("--live", "--output", "a.srt"), "redirect with > FILE"),
    ],
)
def test_mistakes_are_one_line(speech_student, mp3, tmp_path, flags, message):
    (tmp_path / "a.txt").write_text("text\n")
    given = [flag.format(mp3=mp3, here=tmp_path) for flag in flags]
    assert message in commands.error_line(commands.distilmt("translate", speech_student, *given))


def test_a_program_translates_recordings(speech_student, mp3, hum, tmp_path):
    with distilmt.Translator(speech_student, threads=1) as translator:
        assert translator.translate_file(mp3, tmp_path / "talk.srt") == []
        assert translator.translate_file(hum, tmp_path / "hum.srt") == ["no speech found, nothing is written"]
        with pytest.raises(UserError, match=r"use \.txt, \.srt, \.vtt, \.json, or a directory with /"):
            translator.translate_file(mp3, tmp_path / "talk.mp4")
    assert (tmp_path / "talk.srt").read_text().count(" --> ") >= 2 and not (tmp_path / "hum.srt").exists()
