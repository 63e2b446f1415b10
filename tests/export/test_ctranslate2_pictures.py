"""Students that read pictures as CTranslate2 directories: equal to the model, complete, refused before training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.pictures import COLUMNS_PER_FRAME, RENDERING, new_picture_model, strokes

from distilmt.config import ExportConfig, RunConfig
from distilmt.export.base import TrainedModel
from distilmt.export.ctranslate2_pictures import export_pictures
from distilmt.export.formats import export_for_translation, require_ctranslate2, student_exporters
from distilmt.inference.base import DecodingOptions
from distilmt.inference.image_translator import ImageTranslator
from distilmt.models.batch import make_frame_batch
from distilmt.models.checkpoint import load_model
from distilmt.rendering.frames import frames_of
from distilmt.utils.checksums import check_checksums
from distilmt.utils.errors import UserError
from distilmt.utils.repetition import longest_repetition
from distilmt.utils.run_dir import read_json
from distilmt.utils.sizes import total_bytes


@torch.no_grad()
def greedy(model, columns: np.ndarray, length: int) -> list[int]:
    """The likeliest tokens one after the other, by the model's own forward pass."""
    frames, tokens = frames_of(columns, COLUMNS_PER_FRAME), []
    for _ in range(length):
        target = np.array([*tokens, 0])
        batch = make_frame_batch([frames], target, np.array([len(target)]), model.special_ids.start)
        tokens.append(int(model.logits(model.decoder_states(batch)[-1:]).argmax()))
        if tokens[-1] == 0:
            break
    return [token for token in tokens if token]


def test_it_translates_as_the_model_does(tokenizer, tmp_path):
    model = new_picture_model(tokenizer)
    export_for_translation(model, tokenizer, tmp_path / "student", "float32", frames=RENDERING)
    translator = ImageTranslator(tmp_path / "student", threads=1)
    lines = [strokes(16 + 32 * number, number) for number in range(8)]
    compared = 0
    for line, (best,) in zip(lines, translator.hypotheses(lines, DecodingOptions(beam_size=1)), strict=True):
        tokens = [tokenizer.target.tokens[number] for number in greedy(model, line, len(best.tokens))]
        if longest_repetition(tokens, 12) <= 4:  # loops are searched for again
            assert best.tokens == tokens
            compared += len(tokens)
    assert compared > 20


def test_loops_are_cut(shared_tokenizer, tmp_path):
    model = new_picture_model(shared_tokenizer, loops=True)
    export_pictures(model, shared_tokenizer, tmp_path / "student", "float32", RENDERING)
    line = strokes(200)
    assert longest_repetition([str(number) for number in greedy(model, line, 40)], 12) > 4
    for beam_size in (1, 3):
        ((best,),) = ImageTranslator(tmp_path / "student").hypotheses([line], DecodingOptions(beam_size=beam_size))
        assert best.tokens and longest_repetition(best.tokens, 12) <= 4


def test_int8_is_smaller_and_close(shared_tokenizer, tmp_path):
    model = new_picture_model(shared_tokenizer)
    for compute_type in ("float32", "int8"):
        export_pictures(model, shared_tokenizer, tmp_path / compute_type, compute_type, RENDERING)
    assert total_bytes(tmp_path / "int8") < 0.7 * total_bytes(tmp_path / "float32")
    lines = [strokes(40 + 10 * number, number) for number in range(20)]
    first = [
        [ranked[0].tokens[0] for ranked in ImageTranslator(tmp_path / kind).hypotheses(lines)]
        for kind in ("float32", "int8")
    ]
    assert sum(a == b for a, b in zip(*first, strict=True)) >= 15


def test_the_exporter_writes_manifest_checksums_and_card(shared_tokenizer, tmp_path, card):
    trained = TrainedModel(new_picture_model(shared_tokenizer), shared_tokenizer, card)
    exporters = student_exporters(ExportConfig(student=["float32", "int8"]), "whisper", RENDERING)
    assert list(exporters) == ["student", "student-int8"]
    path = tmp_path / "student-int8"
    exporters["student-int8"].export(trained, path, ExportConfig())
    assert read_json(path / "distilmt.json") == {
        "format": 1,
        "compute_type": "int8",
        "max_positions": 64,
        "input": "image",
        "height": 16,
        "columns_per_frame": 4,
        "max_columns": 512,
    }
    files = set(read_json(path / "card.json")["files"])
    assert files == {"model.bin", "config.json", "vocabulary.json", "target.spm", "distilmt.json"}
    check_checksums(path)
    page = (path / "README.md").read_text()
    assert "ImageTranslator" in page and "reads pictures" in page
    (path / "target.spm").write_bytes(b"another one")
    with pytest.raises(UserError, match="damaged"):
        ImageTranslator(path)


def test_the_saved_model_is_exported_the_same(shared_tokenizer, tmp_path):
    model = new_picture_model(shared_tokenizer)
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    for name, each in (("a", model), ("b", load_model(tmp_path / "model"))):
        export_pictures(each, shared_tokenizer, tmp_path / name, "float32", RENDERING)
    assert (tmp_path / "a" / "model.bin").read_bytes() == (tmp_path / "b" / "model.bin").read_bytes()


def test_pictures_of_another_height_are_refused(shared_tokenizer, tmp_path):
    model, other = new_picture_model(shared_tokenizer), replace(RENDERING, height=32)
    message = r"reads frames of 64 numbers, but student\.rendering has 4 columns of 32 pixels, 128 numbers"
    with pytest.raises(UserError, match=message):
        export_pictures(model, shared_tokenizer, tmp_path / "x", "int8", other)
    assert not (tmp_path / "x").exists()


def test_pictures_are_as_wide_as_the_model_has_positions(shared_tokenizer, tmp_path):
    """64 positions are 128 frames of 4 columns; what is wider is cut and translated in parts."""
    model = new_picture_model(shared_tokenizer)
    export_pictures(model, shared_tokenizer, tmp_path / "student", "float32", replace(RENDERING, max_columns=2048))
    assert read_json(tmp_path / "student" / "distilmt.json")["max_columns"] == 512
    assert ImageTranslator(tmp_path / "student").translate_lines([strokes(512), strokes(700)])[1]


def test_fonts_are_checked_before_training():
    pytest.importorskip("PIL")
    pytest.importorskip("fontTools")
    rendering = replace(RENDERING, held_out_fonts=["fonts-that-do-not-exist"])
    for exporter in student_exporters(ExportConfig(), "whisper", rendering).values():
        with pytest.raises(UserError, match=r"held_out_fonts .*no font with scalable glyphs is installed"):
            exporter.check(RunConfig())


def test_commands_that_measure_text_refuse_pictures():
    with pytest.raises(UserError, match="distilmt compress measures students that read text"):
        require_ctranslate2("whisper", "compress")
