"""A run with a student of another architecture than Marian, as processes of the command line."""

import os

import pytest
from helpers import toy
from helpers.commands import error_line, fresh_distilmt
from helpers.processes import TESTS

from distilmt.config import RunConfig
from distilmt.models.architectures import ARCHITECTURES
from distilmt.pipeline import preflight
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

REGISTERED = """
from distilmt.models.architectures import ARCHITECTURES

ARCHITECTURES["prenorm"] = "helpers.prenorm:PreNormModel"
"""
MODEL = {"architecture": "prenorm", "d_model": 16, "ffn_dim": 32}


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """The line in the table, for all processes of a run."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(REGISTERED)
    paths = [str(tmp_path / "site"), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def settings(tmp_path, **changes):
    student = {"student": {"model": MODEL}, "export": {"student": ["float32"]}}
    return toy.write_config(tmp_path / "run.yaml", toy.merged(toy.run_config(tmp_path, **student), changes))


def test_a_whole_run(tmp_path, registered):
    """Trained on labels of a Marian teacher, translated with PyTorch, evaluated, reported."""
    process = fresh_distilmt("run", settings(tmp_path))
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    run = tmp_path / "run"
    assert read_json(run / "student" / "config.json")["model_type"] == "prenorm"
    assert read_json(run / "exports" / "student" / "distilmt.json") == {"format": 1, "torch": "prenorm"}
    report = read_json(run / "report.json")
    assert "architecture:prenorm" in report["signature"]
    systems = {system["name"]: system for system in report["systems"]}
    assert set(systems) == {"teacher", "student", "baseline"}
    assert systems["student"]["parameters"] == systems["baseline"]["parameters"] > 0
    lines = (run / "evaluation" / "student.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 25 and any(lines)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"export": {"student": ["float32", "int8"]}}, "export.student has int8, but there is no CTranslate2 export"),
        ({"export": {"formats": ["onnx"]}}, "'onnx' holds Marian models only.*'prenorm'"),
        ({"export": {"formats": ["argos"]}}, "'argos' holds Marian models only"),
        ({"student": {"initialization": "first"}}, "architecture 'prenorm' is not the teacher's, 'marian'"),
        ({"student": {"objective": {"attention_weight": 0.1}}}, "attention_weight is not 0.*'prenorm' records no"),
        (
            {"teacher": {"model": MODEL}, "labels": {"compute_type": "int8"}},
            "labels.compute_type",
        ),
        ({"student": {"model": {"architecture": "rnn"}}}, "student.model: architecture 'rnn' is unknown"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_is_trained(tmp_path, monkeypatch, changes, message):
    monkeypatch.setitem(ARCHITECTURES, "prenorm", "helpers.prenorm:PreNormModel")
    with pytest.raises(UserError, match=message) as error:
        preflight.check(RunConfig.from_yaml(settings(tmp_path, **changes)), exporting=True)
    assert "\n" not in str(error.value)


def test_a_refusal_is_one_line_and_writes_nothing(tmp_path, registered):
    process = fresh_distilmt("run", settings(tmp_path, export={"formats": ["marian"]}))
    assert "'marian' holds Marian models only" in error_line(process)
    assert not (tmp_path / "run" / "corpus").exists()
