"""Pictures to text with an exported model of random weights: order, batches, empty pictures, bounds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers.pictures import HEIGHT, RENDERING, new_picture_model, strokes

from distilmt import Translator as PublicTranslator
from distilmt.export.ctranslate2_pictures import export_pictures
from distilmt.inference.base import DecodingOptions
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

BLANK = np.full((80, HEIGHT), 255, np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, shared_tokenizer):
    directory = tmp_path_factory.mktemp("pictures") / "student"
    export_pictures(new_picture_model(shared_tokenizer), shared_tokenizer, directory, "float32", RENDERING)
    return directory


@pytest.fixture(scope="module")
def translator(exported) -> ImageTranslator:
    return ImageTranslator(exported, threads=1)


def test_a_picture_has_the_same_translation_alone_and_among_others(translator):
    lines = [strokes(width, seed) for seed, width in enumerate((60, 200, 61, 30, 333, 62, 60))]
    together = translator.translate_lines(lines, beam_size=2)
    assert together == [translator.translate_lines([line], beam_size=2)[0] for line in lines]
    assert together == translator.translate_lines(lines, beam_size=2, batch_size=1)
    assert len(set(together)) > 3


def test_several_workers_translate_the_same(exported, translator):
    lines = [strokes(20 * width) for width in range(2, 12)]
    assert ImageTranslator(exported, threads=1, workers=2).translate_lines(lines) == translator.translate_lines(lines)


def test_empty_pictures_give_nothing_and_no_model_runs(translator, monkeypatch):
    text = strokes(60)
    noise = np.random.default_rng(1).normal(200, 12, (70, HEIGHT)).clip(0, 255).astype(np.uint8)
    mixed = translator.translate_lines([BLANK, text, noise, BLANK[:0]])
    assert mixed == ["", translator.translate_lines([text])[0], "", ""] and mixed[1]
    monkeypatch.setattr("distilmt.inference.frame_search.ctranslate2.StorageView", None)
    with pytest.raises(AttributeError):
        translator.translate_lines([text])
    assert translator.translate_lines([BLANK, noise, 255 - BLANK]) == [""] * 3
    assert translator.translate_lines([]) == []


def test_output_is_bounded_by_the_picture(translator):
    """Random weights never end a sentence by themselves."""
    lines = [strokes(width, seed) for seed, width in enumerate((16, 64, 256, 512))]
    for line, (best,) in zip(lines, translator.hypotheses(lines, DecodingOptions(beam_size=1)), strict=True):
        assert len(best.tokens) <= min(63, 16 + 4 * -(-len(line) // HEIGHT))


def test_a_picture_that_is_too_wide_is_translated_in_parts(translator):
    left, right = strokes(400, 1), strokes(400, 2)
    line = np.concatenate([left, np.full((64, HEIGHT), 240, np.uint8), right])
    assert len(translator.translate_lines([line])[0]) > len(translator.translate_lines([left])[0])


def test_scores_and_several_translations(translator):
    (ranked,) = translator.hypotheses([strokes(60)], DecodingOptions(beam_size=4, num_hypotheses=3))
    assert len(ranked) == 3 and ranked[0].score >= ranked[1].score >= ranked[2].score


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (np.zeros((5, HEIGHT + 1), np.uint8), r"lines\[1\] is uint8 \(5, 17\): give \[columns, 16\] of uint8"),
        (np.zeros((5, HEIGHT), np.float32), "lines.1. is float32"),
        (np.zeros(5, np.uint8), "lines.1. is uint8"),
        ("photo.png", "lines.1. is str"),
    ],
)
def test_what_is_no_line_is_refused(translator, line, message):
    with pytest.raises(UserError, match=message):
        translator.translate_lines([BLANK, line])


def test_text_is_refused_in_one_line(exported):
    with pytest.raises(UserError, match="student reads pictures, not text: translate picture files") as opening:
        Translator(exported)
    with pytest.raises(UserError, match="reads pictures, not text: use translate_file") as translating:
        PublicTranslator(exported).translate("Hello")
    assert "\n" not in f"{opening.value}{translating.value}"


def test_exports_of_text_are_refused_in_one_line(exported_model):
    with pytest.raises(UserError, match="reads text, not pictures: name an export of a student"):
        ImageTranslator(exported_model)


@pytest.mark.parametrize("damage", [{"height": 0}, {"height": "16"}, {"columns_per_frame": None}, {"max_columns": 2}])
def test_a_damaged_manifest_is_refused(exported, tmp_path, damage):
    copied = shutil.copytree(exported, tmp_path / "copied")
    manifest = json.loads((copied / "distilmt.json").read_text())
    (copied / "distilmt.json").write_text(json.dumps(manifest | damage))
    with pytest.raises(UserError, match="no valid height, columns_per_frame and max_columns"):
        ImageTranslator(copied)


def test_frames_of_another_size_than_the_model_reads_are_a_user_error(exported, tmp_path):
    copied = shutil.copytree(exported, tmp_path / "copied")
    manifest = json.loads((copied / "distilmt.json").read_text())
    (copied / "distilmt.json").write_text(json.dumps(manifest | {"columns_per_frame": 2}))
    with pytest.raises(UserError, match=r"reads frames of 64 numbers, but distilmt\.json has 2 columns of 16 pixels"):
        ImageTranslator(copied)


def test_it_needs_no_torch():
    code = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
    code += "import distilmt.inference.image_translator"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
