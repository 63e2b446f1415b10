"""Long recordings: subtitles stay in time, and memory does not grow with the length."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.long_recordings import drift_of, write_talk

from distilmt.config.translate import TranslateConfig
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.recordings.files import translate_files

pytest.importorskip("av")
pytest.importorskip("faster_whisper")
_PEAK = """
import resource, sys
from distilmt.cli.main import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, file=sys.stderr)
sys.exit(status)
"""


def test_subtitles_are_at_the_times_of_their_sentences(tmp_path, speech_student) -> None:
    talk, subtitles = tmp_path / "talk.wav", tmp_path / "talk.srt"
    sentences = write_talk(talk, 60)
    model = SpeechTranslator(speech_student, threads=1)
    config = TranslateConfig(path=str(speech_student), files=[str(talk)], output=str(subtitles))
    assert all(recording.write() for recording in translate_files(config, model))
    drift = drift_of(subtitles.read_text(encoding="utf-8"), sentences)
    assert drift.sentences > 10 and drift.without_subtitle == 0
    assert drift.largest < 0.5


@pytest.mark.slow
def test_an_hour_needs_the_memory_of_five_minutes_and_its_subtitles_are_in_time(tmp_path, speech_student) -> None:
    peaks = []
    for minutes in (5, 60):
        talk, subtitles = tmp_path / f"{minutes}.wav", tmp_path / f"{minutes}.srt"
        sentences = write_talk(talk, 60 * minutes)
        arguments = ["translate", speech_student, talk, "--output", subtitles, "--quiet"]
        done = subprocess.run([sys.executable, "-c", _PEAK, *map(str, arguments)], capture_output=True, check=True)
        peaks.append(int(done.stderr.split()[-1]))
        drift = drift_of(subtitles.read_text(encoding="utf-8"), sentences)
        assert drift.largest < 0.5 and abs(drift.growth) < 0.1, drift
    assert peaks[1] < peaks[0] + 60, f"megabytes: {peaks}"
