"""Distillation and compression from a program."""

import dataclasses
import json
import math
import shutil

import pytest
from helpers import toy

import distilmt
from distilmt.config import run_loading
from distilmt.config.commands import CompressConfig
from distilmt.recipes.api import CompressedModel


def test_a_run_is_read(finished_run):
    report = json.loads((finished_run / "report.json").read_text())
    run = distilmt.Run(finished_run)
    for system in report["systems"]:
        scores = run.scores[system["name"]]
        assert (scores.bleu, scores.chrf, scores.ter) == (system["bleu"], system["chrf"], system["ter"])
        assert scores.bleu_signature == report["test"]["bleu_signature"]
        assert run.systems[system["name"]]["file_bytes"] == system["file_bytes"]
    for by_name in (run.scores, run.systems):
        assert "student" not in by_name and by_name.get("student") is None
        with pytest.raises(KeyError, match=r"'student' is no exported model of this run: it has .*student-int8"):
            by_name["student"]
    assert run.comparisons == report["comparisons"]
    assert run.report.read_text(encoding="utf-8").startswith("<!")
    assert len(run.labels) == 355
    assert run.config.student.training.max_steps == 20
    text = toy.pairs(1, seed=4)[0][0]
    assert run.translator().translate(text) == distilmt.Translator(finished_run).translate(text)


def test_distill_resumes_a_run(finished_run, tmp_path):
    """From a file, a configuration and a directory: all steps are done, so that their records do not change."""
    directory = tmp_path / "run"
    shutil.copytree(finished_run, directory)
    records = {path: path.read_bytes() for path in directory.glob("*/step.json")}
    config = distilmt.RunConfig.from_yaml(finished_run.parent / "run.yaml", {"run_dir": str(directory)})
    for source in (config, directory, str(directory / "config.yaml")):
        run = distilmt.distill(source)
        assert run.directory == directory
        assert not math.isnan(run.scores["student-int8"].bleu)
    assert {path: path.read_bytes() for path in directory.glob("*/step.json")} == records


def test_changes_of_a_file(finished_run):
    path = finished_run.parent / "run.yaml"
    config = distilmt.RunConfig.from_yaml(path, {"labels.beam_size": 3, "student": {"training": {"max_steps": 7}}})
    plain = distilmt.RunConfig.from_yaml(path)
    assert (config.labels.beam_size, config.student.training.max_steps) == (3, 7)
    assert config.student.training.batch_tokens == plain.student.training.batch_tokens == 512


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels.beam": 3}, "unknown key 'labels.beam'"),
        ({"labels.beam_size": 0}, "labels.beam_size is 0: it must be at least 1"),
        ({"labels.beam_size": "many"}, "beam_size is many: it must be a whole number"),
        ({"labels.n_best": 5}, "set labels.num_hypotheses to 5 or more"),
    ],
)
def test_wrong_changes_are_one_line(finished_run, changes, message):
    with pytest.raises(distilmt.UserError, match=message):
        distilmt.RunConfig.from_yaml(finished_run.parent / "run.yaml", changes)


def test_compress_returns_the_shipped_model(finished_run, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(finished_run, directory)
    options = CompressConfig(max_drop=100, rounds=0, qat_steps=0, vocab_min_count=0, bits=[8], beam_sizes=[1])
    model = distilmt.compress(distilmt.Run(directory), options=options)
    assert model.report.exists()
    assert model.bytes < distilmt.Run(directory).systems["teacher"]["file_bytes"]
    assert set(model.scores) == {"validation bleu", "test bleu", "test chrf"}
    text = toy.pairs(1, seed=4)[0][0]
    assert model.translator().translate(text) == distilmt.Translator(directory, "compressed").translate(text)


def test_wrong_compressions_are_one_line(finished_run, tmp_path):
    with pytest.raises(distilmt.UserError, match=r"max_drop is -1\.0: it must be at least 0"):
        distilmt.compress(finished_run, max_drop=-1)
    with pytest.raises(distilmt.UserError, match=r"has no config\.yaml: name the directory of a run"):
        distilmt.compress(tmp_path)


def test_the_page_of_a_compression_by_its_name_of_today_or_before(tmp_path):
    result = CompressedModel(tmp_path)
    (tmp_path / "budget.html").touch()
    assert result.report.name == "budget.html"
    (tmp_path / "ablation.html").touch()
    assert result.report.name == "ablation.html"


def test_wrong_arguments_of_every_function_are_one_sentence(finished_run, tmp_path):
    (tmp_path / "t.en").write_text("a\n")
    text = {"teacher": str(finished_run / "teacher"), "pair": "en-it", "text": tmp_path / "t.en"}
    own = distilmt.RunConfig.from_yaml(finished_run.parent / "run.yaml")
    for call, message in (
        (lambda: distilmt.Run(tmp_path / "absent"), "absent is not a directory: name the directory of a run"),
        (lambda: distilmt.Run(tmp_path), "has no config.yaml: name the directory of a run"),
        (lambda: distilmt.distill(**text, minutes="soon"), "minutes is soon: it must be a number"),
        (lambda: distilmt.distill(**text, seed=1.5), "seed is 1.5: it must be a whole number"),
        (lambda: distilmt.distill(**{**text, "pair": ("en", "it")}), "pair is ('en', 'it'): it must be a text"),
        (lambda: distilmt.distill(**{**text, "text": "absent.en"}), "absent.en does not exist: check text"),
        (lambda: distilmt.distill(**text, run_dir="~/run"), "run_dir '~/run' begins with ~"),
        (lambda: distilmt.distill(finished_run, minutes=5), "config and other arguments are both given"),
        (lambda: distilmt.distill(dataclasses.replace(own, seed="x")), "seed is x: it must be a whole number"),
        (lambda: distilmt.compress(finished_run, metric="ter"), "metric is ter: it must be one of bleu, chrf"),
        (lambda: distilmt.DistillationLoss(alpha=2), "alpha is 2: it must be at least 0 and at most 1"),
        (lambda: distilmt.DistillationLoss(reduction="avg"), "reduction is 'avg': it must be one of mean, sum, none"),
    ):
        with pytest.raises(distilmt.UserError) as error:
            call()
        assert message in str(error.value)
    for call, message in (
        (lambda: distilmt.Run(None), "directory is None"),
        (lambda: distilmt.LabelStore(5), "directory is 5"),
        (lambda: distilmt.distill(5), "config is 5"),
        (lambda: distilmt.compress(None), "run is None"),
        (lambda: distilmt.compress(finished_run, options={}), "options is {}"),
        (lambda: distilmt.RunConfig.from_yaml(5), "path is 5"),
        (lambda: distilmt.evaluate("a", "a"), "hypotheses is a single text"),
        (lambda: distilmt.evaluate(["a"], [["a"]]), "references[0] is ['a'], a list"),
        (lambda: distilmt.evaluate(["a"], ["a"], against=["a"]), "against is no mapping"),
        (lambda: distilmt.evaluate(["a"], ["a"], target=None), "target is None"),
        (lambda: distilmt.DistillationLoss(temperature="2"), "temperature is '2', a str"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        assert str(error.value).startswith(message)


def test_a_configuration_from_a_program_is_the_one_from_its_file(finished_run):
    config = distilmt.RunConfig.from_yaml(finished_run.parent / "run.yaml")
    assert run_loading.load_object(config) == config
