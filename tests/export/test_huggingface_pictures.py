"""Students that read pictures as directories of transformers: the same translations, also by the code of the card."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from helpers import toy
from helpers.pictures import RENDERING, new_picture_model, strokes, write_fonts
from PIL import Image
from transformers import WhisperForConditionalGeneration

from distilmt.config import ExportConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.export.base import TrainedModel
from distilmt.export.formats import student_exporters
from distilmt.inference.image_translator import ImageTranslator
from distilmt.utils.checksums import check_checksums

CONFIG = ExportConfig(student=["float32"], formats=["huggingface"])


@pytest.fixture(scope="module")
def rendering(tmp_path_factory) -> RenderingConfig:
    fonts, held_out = write_fonts(tmp_path_factory.mktemp("fonts"))
    return replace(RENDERING, fonts=[fonts], held_out_fonts=[held_out])


@pytest.fixture(params=["shared_tokenizer", "split_tokenizer"])
def exports(request, tmp_path, card, rendering) -> Path:
    tokenizer = request.getfixturevalue(request.param)
    trained = TrainedModel(new_picture_model(tokenizer), tokenizer, card)
    for name, exporter in student_exporters(CONFIG, "whisper", rendering).items():
        exporter.export(trained, tmp_path / name, CONFIG)
    return tmp_path


def test_transformers_and_ctranslate2_translate_the_same(exports, rendering):
    texts = [text[:40] for text in toy.pairs(12, seed=5)[0]]
    exporters = student_exporters(CONFIG, "whisper", rendering)
    translations = {name: exporter.translate(exports / name, texts)[""] for name, exporter in exporters.items()}
    assert translations["student"] == translations["student-huggingface"]
    assert len(set(translations["student"])) > 2
    check_checksums(exports / "student-huggingface")


def test_the_code_of_the_card_translates_a_file(exports, tmp_path, monkeypatch, capsys):
    translator = ImageTranslator(exports / "student")
    lines = [np.concatenate([strokes(77, seed), np.full((5, 16), 240, np.uint8)]) for seed in range(9)]
    columns, expected = next((line, text) for line in lines if (text := translator.translate_lines([line], 1)[0]))
    Image.fromarray(columns.T).save(tmp_path / "line.png")
    page = (exports / "student-huggingface" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace('"DIRECTORY"', repr(str(exports / "student-huggingface"))), {})
    assert capsys.readouterr().out == f"{expected}\n"


def test_the_type_of_the_weights(tmp_path, card, shared_tokenizer, rendering):
    model = new_picture_model(shared_tokenizer)
    config = replace(CONFIG, huggingface_type="bfloat16")
    exporter = student_exporters(config, "whisper", rendering)["student-huggingface"]
    exporter.export(TrainedModel(model, shared_tokenizer, card), tmp_path / "x", config)
    assert str(WhisperForConditionalGeneration.from_pretrained(tmp_path / "x").dtype) == "torch.bfloat16"
    assert str(model.network.dtype) == "torch.float32"
