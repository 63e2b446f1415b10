"""Keys of students that hear speech."""

import pytest

from distilmt.config import StudentConfig, loading
from distilmt.config.effects import keys_of
from distilmt.config.run import RunConfig
from distilmt.config.voices import VoicesConfig
from distilmt.utils.errors import UserError


def test_speech_implies_the_architecture_and_the_size_of_its_frames():
    student = loading.load(["--student.input", "speech", "--student.voices.stack", "2"]).student
    assert (student.model.architecture, student.model.frame_size) == ("whisper", 160)
    assert student.frames == student.voices and student.voices.stack == 2
    assert StudentConfig().frames is None and StudentConfig(input="image").frames == StudentConfig().rendering


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stack": 3}, r"voices\.stack is 3: set it to a power of two"),
        ({"min_speed": 2.0, "max_speed": 1.5}, r"voices\.min_speed is 2, above max_speed, 1\.5"),
        ({"held_out_voices": ["flite:rms"]}, "'flite:rms', which is in voices too"),
    ],
)
def test_impossible_values_are_one_line(changes, message):
    with pytest.raises(UserError, match=message) as error:
        VoicesConfig(**changes)
    assert "\n" not in str(error.value)


def test_held_out_voices_matter_for_the_evaluation_alone_and_only_to_who_hears():
    keys = keys_of(RunConfig)
    speech, text = ({"student.input": each} for each in ("speech", "text"))
    assert keys["student.voices.voices"].steps == {"student", "baseline"}
    assert keys["student.voices.held_out_voices"].steps == {"evaluation"}
    assert keys["student.voices.stack"].matters(speech) and not keys["student.voices.stack"].matters(text)
