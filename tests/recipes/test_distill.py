"""A student of somebody's own teacher on their own text."""

import json
import re
import shutil
from dataclasses import asdict

import pytest
from helpers import toy
from safetensors.torch import load_file

import distilmt
from distilmt.config import ExportConfig, RunConfig, TeacherConfig
from distilmt.config.commands import DemoConfig
from distilmt.config.distill import DistillConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.data import tokenizer as tokenizers
from distilmt.export.foreign import export_foreign
from distilmt.export.formats import export_for_translation
from distilmt.inference.translator import Translator as ModelTranslator
from distilmt.models import int8_weights
from distilmt.models.checkpoint import load_model
from distilmt.models.presets import parameter_count
from distilmt.recipes import distill
from distilmt.recipes.student_plan import lengths_after_labels
from distilmt.recipes.time_budget import RunClock, cached_plan, reserve, student_lengths, training_lengths
from distilmt.teachers import existing
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step

BASE = DistillConfig(teacher="some/teacher", pair="en-it", text=["mine.en"])


def changed(**values):
    return DistillConfig(**(asdict(BASE) | values))


def test_text_alone():
    config = distill.first_config(BASE)
    assert (config.corpus.source, config.corpus.target, config.corpus.monolingual) == ("en", "it", ["mine.en"])
    assert config.run_dir == "runs/distill-en-it"
    assert config.teacher.path == "some/teacher"
    assert config.labels.top_k == 0 and config.student.objective.kd_weight == 0
    assert config.student.objective.reference_fraction == 0
    assert not config.student.baseline


def test_a_teacher_with_marians_vocabulary_scores_tokens(trained_model):
    config = distill.first_config(changed(teacher=str(trained_model)))
    assert config.tokenizer.path == str(trained_model)
    assert config.labels.top_k == 8 and config.student.objective.kd_weight == 0.5


def test_the_built_in_teacher_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert changed(teacher="demo").teacher == str(pretrained.TEACHER)
    assert DemoConfig(teacher="demo") == DemoConfig(teacher=str(pretrained.TEACHER))
    (tmp_path / "demo").mkdir()
    assert changed(teacher="demo").teacher == "demo"


def test_a_pair_that_is_not_the_teachers_is_refused_before_any_work(text, tmp_path):
    config = changed(teacher="demo", pair="en-tlh", text=[str(text)], run_dir=str(tmp_path / "run"))
    with pytest.raises(UserError, match=r"translates from en to it \(README.md\), but the language pair is en-tlh"):
        distill.run(config)
    assert not (tmp_path / "run").exists()


def test_pairs_have_a_baseline():
    config = distill.first_config(changed(text=[], train=["a.tsv"], run_dir="x", seed=3, report_language="zh"))
    assert config.corpus.train == ["a.tsv"] and config.student.baseline
    assert config.student.objective.reference_fraction == 0.5
    assert (config.run_dir, config.seed, config.report_language) == ("x", 3, "zh")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pair": ""}, "no language pair is named: write it like en-it"),
        ({"pair": "en"}, "pair is 'en'"),
        ({"pair": "en-en"}, "two different languages"),
        ({"teacher": ""}, "no teacher is named"),
        ({"text": []}, "no text is named"),
    ],
)
def test_what_is_missing_is_one_line(values, message):
    with pytest.raises(UserError, match=message):
        distill.first_config(changed(**values))


def test_a_slow_teacher_translates_less():
    config = distill.first_config(BASE)
    fast, slow = (distill.sizes_for(60, pace, config) for pace in (0.001, 1.0))
    assert (fast.test, fast.valid, fast.vocabulary, fast.speed, fast.challenges) == (2000, 500, 20_000, 100, 40)
    assert fast.labels == 1_260_000
    assert asdict(slow) == {"test": 180, "valid": 108, "vocabulary": 500, "labels": 1260, "speed": 72, "challenges": 7}
    assert distill.sizes_for(120, 1.0, config).labels == 2 * slow.labels
    sized = distill.with_sizes(config, slow)
    assert (sized.corpus.test_size, sized.labels.max_sentences) == (180, 1260)
    assert sized.tokenizer.input_sentence_size == 500


def test_token_probabilities_take_time(trained_model):
    with_top_k = distill.first_config(changed(teacher=str(trained_model)))
    plain = distill.first_config(BASE)
    assert 2 * distill.sizes_for(60, 0.1, with_top_k).labels == distill.sizes_for(60, 0.1, plain).labels
    assert distill.sizes_for(60, 0.001, with_top_k).vocabulary == 500


@pytest.mark.parametrize(("seconds", "pace"), [(0.0, 0.1), (10.0, 0.1), (5000.0, 0.01)])
def test_lengths_fit_the_time(seconds, pace):
    training = training_lengths(seconds, pace)
    assert training["max_steps"] * pace <= max(1.05 * seconds, 20 * pace) + 1e-9
    assert student_lengths(seconds, pace) == training
    assert student_lengths(2 * seconds, pace, pace) == training


def test_all_exported_models_take_their_time():
    export = ExportConfig(teacher=["float32"], student=["int8"])
    assert round(reserve(4, export, has_baseline=True)) == 87
    assert reserve(4, ExportConfig(), has_baseline=False) == reserve(4, export, has_baseline=True) + 20 / 3
    assert reserve(60, export, True) == reserve(600, export, True)


def test_a_run_that_takes_longer_than_its_minutes_announces_it(finished_run, messages):
    config = load_run_dir(finished_run, {})
    clock = RunClock(config.paths)
    before = clock.seconds()
    assert before > 1, "steps of earlier calls count"
    lengths = lengths_after_labels(config, 0.1, clock)
    assert clock.seconds() > before and lengths["max_seconds"] <= 5
    assert re.search(r"warning: the whole run takes about [\d.]+ minutes instead of 0.1: start, labels", messages[-1])
    lengths_after_labels(config, 600, clock)
    assert "whole run" not in messages[-1]


def test_a_plan_is_stored_until_its_settings_change(tmp_path):
    numbers = iter(range(10))

    def plan(config):
        return cached_plan(tmp_path, "teacher", config, lambda: {"labels": next(numbers)})

    assert plan(BASE) == plan(changed(run_dir="x", report_language="zh")) == {"labels": 0}
    assert plan(changed(minutes=30)) == {"labels": 1}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "mine.en"
    path.write_text("".join(f"{line}\n" for line in toy.pairs(700, seed=6)[0]), encoding="utf-8")
    return path


@pytest.fixture
def teacher(trained_model, tmp_path):
    """A teacher whose weights are stored in 8 bits alone, as the built-in one."""
    directory = shutil.copytree(trained_model, tmp_path / "teacher")
    int8_weights.save_int8(load_file(directory / "model.safetensors"), directory)
    (directory / "model.safetensors").unlink()
    return directory


def test_text_without_sentences_is_reported_before_the_teacher_is_loaded(tmp_path):
    (tmp_path / "empty.en").write_text("\n\n")
    config = changed(text=[str(tmp_path / "empty.en")], run_dir=str(tmp_path / "run"))
    with pytest.raises(UserError, match="the text has no sentences"):
        distill.run(config)
    assert not (tmp_path / "run").exists()


def test_a_teacher_in_8_bits_translates_as_its_weights_do(teacher, trained_model, tmp_path):
    """A student's own vocabulary needs its translations alone; transformers cannot read its file."""
    facts = existing.write_pointer(TeacherConfig(str(teacher)), ("en", "it"), tmp_path)
    export_foreign(facts, tmp_path / "export", "float32", "en", "it")
    weights = load_model(trained_model)
    weights.load_state_dict(load_model(teacher).state_dict())
    export_for_translation(weights, tokenizers.load(trained_model), tmp_path / "expected", "float32")
    sources = toy.pairs(20, seed=5)[0]
    assert facts["parameters"] == parameter_count(weights.requires_grad_(True))
    translations = ModelTranslator(tmp_path / "export").translate(sources)
    assert translations == ModelTranslator(tmp_path / "expected").translate(sources) and any(translations)


@pytest.mark.slow  # tests/test_examples.py has a quick one
def test_three_arguments(teacher, text, tmp_path):
    """The dial alone: a run with a report, whose configuration can be continued."""
    directory = tmp_path / "run"
    run = distilmt.distill(teacher=str(teacher), text=text, pair="en-it", minutes=0.1, run_dir=directory)
    assert set(run.scores) == {"teacher", "teacher-int8", "student", "student-int8"}
    plan = json.loads((directory / "plan.json").read_text())
    assert plan["teacher"]["plan"]["labels"] >= 500
    assert run.config.student.training.max_steps == plan["student"]["plan"]["training"]["max_steps"]
    assert read_step(directory / "student").result["updates"] >= 1
    assert len(run.labels) == read_step(directory / "corpus").result["train"]
    assert run.labels.k == 8, "a Marian teacher scores tokens"
    assert run.translator().translate(toy.pairs(1, seed=2)[0][0])

    records = {path: path.read_bytes() for path in directory.glob("*/step.json")}
    again = distilmt.distill(teacher=str(teacher), text=str(text), pair="en-it", minutes=0.1, run_dir=directory)
    assert again.scores == run.scores
    assert {path: path.read_bytes() for path in directory.glob("*/step.json")} == records

    continued = distilmt.RunConfig.from_yaml(directory / "config.yaml", {"student.training.max_steps": 25})
    assert isinstance(continued, RunConfig)
    distilmt.distill(continued)
    changed_steps = {path.parent.name for path in records if path.read_bytes() != records[path]}
    assert "student" in changed_steps and not changed_steps & {"corpus", "references", "teacher", "labels"}


@pytest.mark.slow
def test_a_teacher_with_another_vocabulary_and_pairs(exported_model, tmp_path):
    files = toy.write_corpus(tmp_path, 700)
    run = distilmt.distill(teacher=exported_model, train=files, pair="en-it", minutes=0.1, run_dir=tmp_path / "run")
    assert {"teacher", "student-int8", "baseline-int8"} <= set(run.scores)
    assert run.labels.k == 0


def test_settings_besides_a_configuration_are_refused(tmp_path):
    with pytest.raises(UserError, match="config and other arguments are both given"):
        distilmt.distill(RunConfig(), teacher="x")
    with pytest.raises(UserError, match="no teacher is named"):
        distilmt.distill(text="mine.en", pair="en-it")
