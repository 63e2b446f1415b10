"""The demo whose student hears speech."""

from dataclasses import replace
from pathlib import Path

import pytest

from distilmt.config.commands import DemoConfig
from distilmt.pipeline.frame_checks import check_frames
from distilmt.recipes import demo, demo_recipe
from distilmt.utils.errors import UserError


def test_students_of_speech_have_the_labels_of_text():
    text = demo.first_plan(DemoConfig(dataset="debian"), Path("x"))
    speech = demo.first_plan(DemoConfig(dataset="debian", task="speech"), Path("x"))
    assert (text.student.input, speech.student.input) == ("text", "speech")
    assert speech.teacher == text.teacher and speech.labels == text.labels, "the labels are those of the text"
    assert replace(speech.student.objective, ctc_weight=0.0) == text.student.objective and speech.student.baseline
    assert not {*speech.student.voices.voices} & {*speech.student.voices.held_out_voices}
    assert speech.corpus.cleaning.max_chars == 60 and speech.corpus.test_size == 500


def test_speech_gets_minutes_and_a_directory_of_its_own():
    config = DemoConfig(dataset="debian", task="speech")
    assert demo_recipe.minutes(config) == 20 and demo.default_directory(config) == "runs/demo-speech"


def test_without_synthesizers_the_remedy_is_one_line(monkeypatch):
    monkeypatch.setattr("distilmt.rendering.voices.shutil.which", lambda name: None)
    with pytest.raises(UserError, match=r"none of them is installed .*`apt-get install espeak-ng flite`") as error:
        check_frames(demo.first_plan(DemoConfig(dataset="debian", task="speech"), Path("x")))
    assert "\n" not in str(error.value)
