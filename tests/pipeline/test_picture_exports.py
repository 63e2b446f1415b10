"""A run whose student reads pictures: exports, evaluation and report."""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from helpers.pictures import new_picture_model, write_fonts
from PIL import Image

from distilmt import Translator
from distilmt.config import RunConfig, loading
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation import quality
from distilmt.inference.image_translator import ImageTranslator
from distilmt.models.checkpoint import save_model
from distilmt.pipeline import runner
from distilmt.pipeline.steps import evaluate_frames
from distilmt.pipeline.steps.evaluate import evaluate_models, write_run_report
from distilmt.pipeline.steps.evaluate_frames import inline_picture, write_frame_facts
from distilmt.pipeline.steps.evaluation_inputs import evaluation_inputs
from distilmt.pipeline.steps.export import export_models
from distilmt.rendering.renderer import Renderer
from distilmt.report.html import render
from distilmt.utils.errors import UserError
from distilmt.utils.repetition import longest_repetition
from distilmt.utils.run_dir import read_json
from distilmt.utils.run_paths import RunPaths

SHIPPED = ("student-int8", "baseline-int8")
MODELS = ("student", "student-int8", "baseline", "baseline-int8")


@pytest.fixture(scope="module")
def config(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A finished run on text whose student and baseline are replaced by models of random weights that read pictures."""
    config = picture_config(finished_run, tmp_path_factory.mktemp("pictures"))
    for step in (config.paths.exports, config.paths.evaluation, config.paths.report):
        shutil.rmtree(step)
    _replace_text(config.paths.corpus / "test.parquet", 3, "ban 山 mar.")
    tokenizer = tokenizers.load(config.paths.tokenizer)
    for seed, name in enumerate(("student", "baseline")):
        step = config.paths.step(name)
        record = json.loads((step / "step.json").read_text())
        shutil.rmtree(step)
        step.mkdir()
        save_model(new_picture_model(tokenizer, seed), tokenizer, step)
        (step / "step.json").write_text(json.dumps(record | {"files": {}}))
    return config


def picture_config(finished_run: Path, directory: Path, **changes: object) -> RunConfig:
    """A copy of a finished run on text, and its configuration with a student that reads pictures."""
    shutil.copytree(finished_run, directory / "run")
    fonts, held_out = write_fonts(directory)
    keys = {
        "run_dir": directory / "run",
        "student.input": "image",
        "student.rendering.fonts": f"[{fonts}]",
        "student.rendering.held_out_fonts": f"[{held_out}]",
        "student.rendering.height": 16,
        "student.rendering.max_columns": 512,
        "student.rendering.max_font_size": 20,
        "export.student": "[float32,int8]",
        "export.formats": "[huggingface]",
        **changes,
    }
    flags = [part for key, value in keys.items() for part in (f"--{key}", str(value))]
    return loading.load([str(finished_run.parent / "run.yaml"), *flags])


def test_the_whole_road(finished_run: Path, tmp_path: Path, messages: list[str]) -> None:
    """From labels over trained students to the report; a second run does nothing."""
    config = picture_config(finished_run, tmp_path, **{"student.training.max_steps": 2})
    runner.run(config)
    report = read_json(config.paths.report_json)
    assert {system["name"] for system in report["systems"]} == {"teacher", *MODELS}
    assert report["pictures"]["left_out"] == 0 and "architecture:whisper" in report["signature"]
    assert "the challenge sets are texts: they are left out, because the student reads pictures" in messages
    messages.clear()
    runner.run(config)
    assert [line for line in messages if line.startswith(("student:", "exports:", "evaluation:"))] == [
        line for line in messages if "already done" in line and line.startswith(("student:", "exports:", "evaluation:"))
    ]


def _replace_text(path: Path, row: int, text: str) -> None:
    """Give a test sentence characters that no font of the run has."""
    table = pq.read_table(path)
    sources = table["source"].to_pylist()
    sources[row] = text
    pq.write_table(table.set_column(table.schema.get_field_index("source"), "source", [sources]), path)


@pytest.fixture(scope="module")
def evaluated(config: RunConfig) -> RunConfig:
    paths = config.paths
    for step in (paths.exports, paths.evaluation, paths.report):
        step.mkdir()
    export_models(config, paths.exports)
    evaluate_models(config, paths.evaluation)
    write_run_report(config, paths.report)
    return config


def test_every_export_reads_pictures_and_has_a_card_with_scores(evaluated):
    exports = evaluated.paths.exports
    for name in MODELS:
        assert read_json(exports / name / "distilmt.json")["input"] == "image"
        assert "test bleu" in read_json(exports / name / "card.json")["scores"]
    assert "input" not in read_json(exports / "teacher" / "distilmt.json")
    assert (exports / "student-huggingface" / "model.safetensors").exists()
    agreement = read_json(exports / "agreement.json")
    assert agreement["sentences"] == 20
    assert agreement["exports"]["student-huggingface"]["different"] == 0
    differing = agreement["exports"]["student"]["examples"]
    assert len(differing) < 5 and all(longest_repetition(each["reference"].split(), 12) > 3 for each in differing)


def test_all_systems_are_scored_on_the_texts_that_have_a_picture(evaluated):
    report = read_json(evaluated.paths.report_json)
    pictures, systems = report["pictures"], {system["name"]: system for system in report["systems"]}
    assert pictures["left_out"] == 1 and 3 not in pictures["rows"] and len(pictures["rows"]) == 24
    assert report["test"]["sentences"] == 24
    assert pictures["held_out_fonts"] == ["held-out"] and pictures["settings"]["rotation"] == 2.0
    for name in ("teacher", "student", "student-int8", "baseline", "baseline-int8"):
        assert systems[name]["health"]["sentences"] == 24 and systems[name]["sentences_per_second"]["batch_1"] > 0
        lines = (evaluated.paths.evaluation / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 24
    assert ("student-int8", "student") in {(row["a"], row["b"]) for row in report["comparisons"]}
    assert report["challenge_sets"] == {}


def test_scores_are_those_of_the_pictures_under_every_condition(evaluated):
    conditions = read_json(evaluated.paths.report_json)["pictures"]["conditions"]
    named = {(each["fonts"], each["degradation"], each["system"]) for each in conditions}
    assert named == set(itertools.product(("held_out", "training"), ("clean", "degraded"), SHIPPED))
    assert {each["sentences"] for each in conditions} == {24}


def test_many_sentences_are_sampled_evenly_for_the_conditions(evaluated, tmp_path, monkeypatch):
    """Scores are those of every third sentence; the page says so, and nothing like it of a whole test set."""
    paths, rows = RunPaths(tmp_path), range(0, 24, 3)
    for step in ("corpus", "exports"):
        (tmp_path / step).symlink_to(evaluated.paths.root / step)
    paths.evaluation.mkdir()
    test = evaluation_inputs(evaluated, evaluated.paths)
    monkeypatch.setattr(evaluate_frames, "CONDITION_SENTENCES", len(rows))
    write_frame_facts(evaluated, paths.evaluation, ["student-int8"], test)
    facts = read_json(paths.evaluation / "pictures.json")
    assert {each["sentences"] for each in facts["conditions"]} == {len(rows)} and facts["rows"] == test.rows.tolist()
    renderer = Renderer.for_measuring(replace(evaluated.student.rendering, clean_fraction=1.0), evaluated.seed)
    pictures = [renderer.render(test.sources[row], test.ids[row]) for row in rows]
    lines = ImageTranslator(paths.export("student-int8")).translate_lines(pictures, evaluated.evaluation.beam_size)
    scores = quality.score(lines, [test.references[row] for row in rows], evaluated.corpus.target)
    assert (facts["conditions"][0]["bleu"], facts["conditions"][0]["chrf"]) == (scores.bleu, scores.chrf)
    report = read_json(evaluated.paths.report_json)
    assert "8 of the 24 sentences, evenly spread" in render({**report, "pictures": facts}, "en")
    assert "evenly spread" not in render(report, "en")


def test_the_page_shows_the_pictures_that_were_read(evaluated):
    report = read_json(evaluated.paths.report_json)
    page = evaluated.paths.report_html.read_text(encoding="utf-8")
    rendering = evaluated.student.rendering
    renderer = Renderer.for_measuring(rendering, evaluated.seed)
    test = prepare.load_split(evaluated.paths.corpus, "test")
    ids = dict(zip(test["source"].to_pylist(), test["id"].to_pylist(), strict=True))
    assert len(report["examples"]) == 4
    for example in report["examples"]:
        assert f"data:image/png;base64,{example['picture']}" in html.unescape(page)
        image = Image.open(io.BytesIO(base64.b64decode(example["picture"]))).convert("L")
        columns = renderer.render(example["source"], ids[example["source"]])
        assert np.abs(np.asarray(image).T.astype(int) - columns).max() <= 16
    assert "1 test sentences have characters that these fonts lack" in page and "img-src data:" in page
    assert "int8 changes the student by" in page and "held-out fonts, degraded" in page
    german = render(report, "zh")
    assert "data:image/png" in german


def test_inline_pictures_are_small():
    noise = np.random.default_rng(1).integers(0, 256, (8192, 128)).astype(np.uint8)
    assert len(inline_picture(noise)) < 48_000


def test_it_refuses_text_in_one_line(evaluated):
    with pytest.raises(UserError, match=r"exports.student-int8 reads pictures, not text") as error:
        Translator(evaluated.paths.root).translate("a text")
    assert "\n" not in str(error.value)


def test_fonts_without_any_test_character_are_one_line(evaluated, tmp_path):
    paths = evaluated.paths
    (tmp_path / "corpus").mkdir()
    table = prepare.load_split(paths.corpus, "test")
    han = table.set_column(table.schema.get_field_index("source"), "source", [["山水"] * table.num_rows])
    pq.write_table(han, tmp_path / "corpus" / "test.parquet")
    with pytest.raises(UserError, match="no picture of any test text: install fonts"):
        evaluation_inputs(evaluated, RunPaths(tmp_path))
