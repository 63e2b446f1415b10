"""The models that are installed with distilmt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import commands, toy

from distilmt import Translator
from distilmt.config import CorpusConfig, ObjectiveConfig, RunConfig, TeacherConfig, TokenizerConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.models.checkpoint import load_model
from distilmt.pipeline import preflight
from distilmt.pipeline.pretrained_student import pretrained_directory
from distilmt.pipeline.steps.signature import signature
from distilmt.training.ctc_head import read_ctc_head
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.sizes import total_bytes

SENTENCES = ["This package contains the documentation.", "It is a small and fast editor for text files."]


def test_the_teacher_has_at_most_15_megabytes_and_loads() -> None:
    assert total_bytes(pretrained.TEACHER) < 15e6
    model = load_model(pretrained.TEACHER)
    assert model.dimensions.vocabulary == len(load_tokenizer(pretrained.TEACHER).target.tokens)


def test_a_student_with_another_vocabulary_is_refused_before_any_work(tmp_path: Path) -> None:
    """Only distilmt reads weights in 8 bits, and only as a teacher with the student's vocabulary."""
    corpus = CorpusConfig("en", "it", toy.write_corpus(tmp_path, 40))
    config = RunConfig(str(tmp_path / "run"), corpus=corpus, teacher=TeacherConfig(str(pretrained.TEACHER)))
    sequence_level = replace(config.student, objective=ObjectiveConfig(kd_weight=0.0, ce_weight=1.0))
    without_top_k = replace(config, labels=replace(config.labels, top_k=0), student=sequence_level)
    for each in (config, without_top_k):
        with pytest.raises(UserError, match=r"stored in 8 bits .*: set tokenizer\.path to .*en-it-teacher$"):
            preflight.check(each, exporting=True)
    preflight.check(replace(config, tokenizer=TokenizerConfig(str(pretrained.TEACHER))), exporting=True)


def test_the_student_is_ten_times_smaller_than_its_teacher_in_float32() -> None:
    parameters = sum(weight.numel() for weight in load_model(pretrained.TEACHER).parameters())
    assert total_bytes(pretrained.STUDENT) < 4 * parameters / 10


def test_the_name_demo_translates_without_a_run() -> None:
    translations = Translator(pretrained.DEMO).translate(SENTENCES)
    assert "documentazione" in translations[0]
    assert "editor" in translations[1]


def test_a_directory_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / pretrained.DEMO).mkdir()
    monkeypatch.chdir(tmp_path)
    assert "demo has no exported 'student-int8'" in commands.error_line(
        commands.distilmt("translate", "demo", "--text", SENTENCES[0])
    )


def test_the_picture_student_reads_a_font_that_comes_with_pillow() -> None:
    pytest.importorskip("PIL")
    from PIL import Image, ImageDraw, ImageFont

    from distilmt.inference.image_translator import ImageTranslator
    from distilmt.rendering.drawing import columns_of

    picture = Image.new("L", (600, 44), 255)
    ImageDraw.Draw(picture).text((12, 6), SENTENCES[0], fill=0, font=ImageFont.load_default(28))
    translator = ImageTranslator(pretrained.PICTURE_STUDENT, threads=1)
    (translation,) = translator.translate_lines([columns_of(picture, translator.height)])
    assert "documentazione" in translation


def test_other_students_start_from_the_encoder_of_the_picture_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert total_bytes(pretrained.PICTURE_STUDENT) < 10e6
    directory = pretrained_directory(pretrained.DEMO_IMAGES)
    model, rendering = load_model(directory), RenderingConfig()
    assert model.frame_size == rendering.frame_size
    width = model.dimensions.d_model // rendering.outputs_per_position
    head = read_ctc_head(directory, width)
    assert head is not None and set(SENTENCES[0]) <= set(head.alphabet)


@pytest.mark.parametrize("directory", [pretrained.TEACHER, pretrained.STUDENT, pretrained.PICTURE_STUDENT])
def test_every_model_has_a_card(directory: Path) -> None:
    card = (directory / "README.md").read_text(encoding="utf-8").lower()
    assert "license" in card
    assert "debian" in card


def test_the_signature_names_the_teacher_without_the_machine() -> None:
    config = RunConfig(teacher=TeacherConfig(str(pretrained.TEACHER)))
    assert signature(config).startswith("teacher:distilmt/en-it-teacher|")


def test_a_text_is_translated_to_json_too() -> None:
    result = commands.distilmt("translate", pretrained.DEMO, "--text", "\n".join(SENTENCES), "--json")
    records = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [record["source"] for record in records] == SENTENCES
    assert "documentazione" in records[0]["translations"][0]["translation"]
