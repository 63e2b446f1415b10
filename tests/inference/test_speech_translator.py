"""Utterances to text with an exported model of random weights: order, batches, silence, bounds."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import weakref

import numpy as np
import pytest
from helpers.speech import MAX_SECONDS, STACK, utterance

from distilmt import Translator as PublicTranslator
from distilmt.audio.features import SAMPLE_RATE, frame_count
from distilmt.inference.base import DecodingOptions
from distilmt.inference.frame_search import FrameSearch
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import input_of
from distilmt.inference.speech_translator import SpeechTranslator, has_sound, most_tokens
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

SILENCE = np.zeros(SAMPLE_RATE, np.float32)


@pytest.fixture(scope="module")
def translator(speech_student) -> SpeechTranslator:
    return SpeechTranslator(speech_student, threads=1)


def test_an_utterance_has_the_same_translation_alone_and_among_others(speech_student, translator):
    utterances = [utterance(seconds, seed) for seed, seconds in enumerate((1.2, 2.5, 1.21, 0.4, 4.9, 1.25))]
    together = translator.translate_utterances(utterances, beam_size=2)
    assert together == [translator.translate_utterances([each], beam_size=2)[0] for each in utterances]
    assert together == SpeechTranslator(speech_student, threads=1, workers=2).translate_utterances(utterances, 2)
    assert len(set(together)) > 3


def test_silence_gives_nothing_and_no_model_runs(translator, monkeypatch):
    speech = utterance(1)
    offset = SILENCE + np.float32(0.2)
    mixed = translator.translate_utterances([SILENCE, speech, offset, SILENCE[:0]])
    assert mixed == ["", translator.translate_utterances([speech])[0], "", ""] and mixed[1]
    monkeypatch.setattr("distilmt.inference.frame_search.ctranslate2.StorageView", None)
    with pytest.raises(AttributeError):
        translator.translate_utterances([speech])
    assert translator.translate_utterances([SILENCE, offset]) == ["", ""]
    assert has_sound(0.01 * speech) and not has_sound(1e-4 * speech)


def test_output_is_bounded_by_the_seconds(translator):
    """Random weights never end a sentence by themselves."""
    utterances = [utterance(seconds) for seconds in (0.3, 1, 4)]
    for each, (best,) in zip(utterances, translator.hypotheses(utterances, DecodingOptions(beam_size=1)), strict=True):
        frames = frame_count(-(-len(each) // 160), STACK)
        assert len(best.tokens) <= min(63, most_tokens(STACK, frames))
    assert most_tokens(STACK, 25) == 20, "ten, and ten a second"


def test_a_long_utterance_is_cut_where_it_is_quiet(translator):
    left, right = utterance(3.5, 1), utterance(3.5, 2)
    gap = np.zeros(SAMPLE_RATE // 2, np.float32)
    whole = np.concatenate([left, gap, right])
    assert len(whole) > MAX_SECONDS * SAMPLE_RATE
    (text,) = translator.translate_utterances([whole])
    halves = np.split(whole, [len(left) + len(gap) // 2])
    assert len(text) > max(map(len, translator.translate_utterances(halves)))


def test_scores_and_several_translations(translator):
    (ranked,) = translator.hypotheses([utterance(1)], DecodingOptions(beam_size=4, num_hypotheses=3))
    assert len(ranked) == 3 and ranked[0].score >= ranked[1].score >= ranked[2].score


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((5, 2), np.float32), r"samples\[1\] is float32 \(5, 2\): give \[samples\] of float32"),
        (np.zeros(5, np.int16), "samples.1. is int16"),
        (np.full(5, np.nan, np.float32), "samples.1. has values that are no numbers"),
        ("talk.wav", "samples.1. is str"),
    ],
)
def test_what_is_no_utterance_is_refused(translator, samples, message):
    with pytest.raises(UserError, match=message):
        translator.translate_utterances([SILENCE, samples])


def test_each_kind_of_model_reads_its_own(speech_student, picture_student, exported_model):
    with pytest.raises(UserError, match="student reads speech, not text: translate recordings with it"):
        Translator(speech_student)
    with pytest.raises(UserError, match="reads speech, not pictures: name an export of a student"):
        ImageTranslator(speech_student)
    for other, reads in ((picture_student, "pictures"), (exported_model, "text")):
        with pytest.raises(UserError, match=f"reads {reads}, not speech: .* student.input: speech"):
            SpeechTranslator(other)
    with pytest.raises(UserError, match="reads speech, not text: use translate_file"):
        PublicTranslator(speech_student).translate("Hello")
    assert [input_of(each) for each in (speech_student, picture_student, exported_model)] == ["speech", "image", "text"]


@pytest.mark.parametrize("damage", [{"stack": 0}, {"stack": "4"}, {"max_seconds": None}, {"max_seconds": True}])
def test_a_damaged_manifest_is_refused(speech_student, tmp_path, damage):
    with pytest.raises(UserError, match="no valid stack and max_seconds"):
        SpeechTranslator(changed(speech_student, tmp_path, damage))


def test_frames_of_another_size_than_the_model_reads_are_a_user_error(speech_student, tmp_path):
    with pytest.raises(UserError, match=r"reads frames of 320 numbers, but distilmt\.json has 2 times 80 mel bands"):
        SpeechTranslator(changed(speech_student, tmp_path, {"stack": 2}))


def changed(export, tmp_path, values):
    copied = shutil.copytree(export, tmp_path / "copied")
    manifest = json.loads((copied / "distilmt.json").read_text())
    (copied / "distilmt.json").write_text(json.dumps(manifest | values))
    return copied


@pytest.mark.parametrize("kind", ["speech_student", "picture_student"])
def test_a_closed_translator_frees_its_model(request, monkeypatch, kind):
    searches, start = [], FrameSearch.__init__

    def watched(search, *arguments):
        searches.append(weakref.ref(search))
        start(search, *arguments)

    monkeypatch.setattr(FrameSearch, "__init__", watched)
    gc.disable()
    try:
        with PublicTranslator(request.getfixturevalue(kind), threads=1):
            assert searches[0]() is not None
        assert searches[0]() is None
    finally:
        gc.enable()


def test_it_needs_no_torch():
    code = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
    code += "import distilmt.inference.speech_translator"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
