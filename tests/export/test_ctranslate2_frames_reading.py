"""An export of a student that reads pictures is read back as the model that it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pictures import RENDERING, new_picture_model
from safetensors.torch import load_file

from distilmt.data import tokenizer as tokenizers
from distilmt.export.ctranslate2_frames_reading import write_trainable_frames
from distilmt.export.ctranslate2_pictures import export_pictures
from distilmt.losses.ctc import initial_head
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.pretrained_student import pretrained_directory
from distilmt.training.ctc_head import CtcHead, read_ctc_head, write_ctc_head
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json


@pytest.mark.parametrize(("compute_type", "largest_error"), [("float32", 0.0), ("int8", 0.5 / 127)])
def test_the_weights_are_those_of_the_model_but_for_rounding(shared_tokenizer, tmp_path, compute_type, largest_error):
    model = new_picture_model(shared_tokenizer)
    export_pictures(model, shared_tokenizer, tmp_path / "export", compute_type, RENDERING)
    (tmp_path / "model").mkdir()
    write_trainable_frames(tmp_path / "export", tmp_path / "model")
    again, tokenizer = load_model(tmp_path / "model"), tokenizers.load(tmp_path / "model")
    assert again.dimensions == model.dimensions and again.frame_size == model.frame_size
    assert tokenizer.target.tokens == shared_tokenizer.target.tokens
    after = again.state_dict()
    for name, value in model.state_dict().items():
        assert float((value - after[name]).abs().max()) <= largest_error * float(value.abs().max()) * 1.01, name
    export_pictures(again, tokenizer, tmp_path / "again", compute_type, RENDERING)
    assert (tmp_path / "again" / "model.bin").read_bytes() == (tmp_path / "export" / "model.bin").read_bytes()


def test_a_student_starts_from_an_export_and_its_projection(shared_tokenizer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = new_picture_model(shared_tokenizer)
    export_pictures(model, shared_tokenizer, tmp_path / "export", "int8", RENDERING)
    width = model.dimensions.d_model
    write_ctc_head(CtcHead("abc", initial_head(3, width)), tmp_path / "export")
    directory = pretrained_directory(str(tmp_path / "export"))
    head = read_ctc_head(directory, width)
    assert head is not None and head.alphabet == "abc"
    assert directory == pretrained_directory(str(tmp_path / "export")) and load_file(directory / "model.safetensors")


def write_vocabulary(export: Path) -> None:
    write_json(export / "vocabulary.json", read_json(export / "vocabulary.json")[:-1])


def cut(export: Path) -> None:
    content = (export / "model.bin").read_bytes()
    (export / "model.bin").write_bytes(content[: len(content) // 2])


def rename(export: Path) -> None:
    content = (export / "model.bin").read_bytes()
    (export / "model.bin").write_bytes(content.replace(b"encoder/conv2/bias", b"encoder/conv2/bise"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (write_vocabulary, "vocabulary.json is not that of a student"),
        (cut, "it is cut off"),
        (rename, "encoder/conv2/bias is missing"),
        (lambda export: (export / "target.spm").unlink(), "target.spm is missing"),
    ],
)
def test_damaged_files_are_one_line(shared_tokenizer, tmp_path, damage, reason):
    export_pictures(new_picture_model(shared_tokenizer), shared_tokenizer, tmp_path / "export", "int8", RENDERING)
    damage(tmp_path / "export")
    with pytest.raises(UserError, match=rf"^{tmp_path / 'export'} cannot be trained \({reason}"):
        write_trainable_frames(tmp_path / "export", tmp_path)
