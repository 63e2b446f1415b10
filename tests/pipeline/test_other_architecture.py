"""A run with a student of another architecture than Marian, as processes of the command line."""

import os
from dataclasses import replace

import pytest
from helpers import toy
from helpers.commands import error_line
from helpers.processes import TESTS, Process

from distilmt.config import RunConfig
from distilmt.export.formats import require_ctranslate2
from distilmt.models.architectures import ARCHITECTURES, architecture_of, new_model
from distilmt.models.checkpoint import save_model
from distilmt.pipeline import preflight
from distilmt.teachers import existing
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

REGISTER = """
from distilmt.models.architectures import ARCHITECTURES

ARCHITECTURES["prenorm"] = "helpers.prenorm:PreNormModel"
"""
RUN = f"import sys\n{REGISTER}\nfrom distilmt.cli import main\nsys.exit(main())"
MODEL = {"architecture": "prenorm", "d_model": 16, "ffn_dim": 32}


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """The line in the table, for the processes that a run starts; `RUN` has it for the run itself."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(REGISTER)
    paths = [str(tmp_path / "site"), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def settings(tmp_path, **changes):
    student = {"student": {"model": MODEL}, "export": {"student": ["float32"]}}
    return toy.write_config(tmp_path / "run.yaml", toy.merged(toy.run_config(tmp_path, **student), changes))


def test_a_whole_run(tmp_path, registered):
    """Trained on labels of a Marian teacher, translated with PyTorch, evaluated, reported."""
    process = Process("run", settings(tmp_path), program=RUN).completed()
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
    process = Process("run", settings(tmp_path, export={"formats": ["marian"]}), program=RUN).completed()
    assert "'marian' holds Marian models only" in error_line(process)
    assert not (tmp_path / "run" / "corpus").exists()


def test_a_teacher_of_another_architecture_may_be_given(tmp_path, monkeypatch, shared_tokenizer):
    """With the run's vocabulary it is copied and scores tokens, as a Marian teacher does."""
    monkeypatch.setitem(ARCHITECTURES, "prenorm", "helpers.prenorm:PreNormModel")
    teacher = tmp_path / "model"
    teacher.mkdir()
    save_model(
        new_model(replace(toy.MICRO, architecture="prenorm"), shared_tokenizer, 0.0, 1), shared_tokenizer, teacher
    )
    given = {"teacher": {"path": str(teacher)}, "tokenizer": {"path": str(teacher)}}
    int8 = RunConfig.from_yaml(settings(tmp_path, labels={"compute_type": "int8"}, **given))
    with pytest.raises(UserError, match=r"labels\.compute_type has int8"):
        preflight.check(int8, exporting=True)
    config = RunConfig.from_yaml(settings(tmp_path, **given))
    preflight.check(config, exporting=True)
    facts = existing.import_teacher(config.teacher, ("en", "it"), shared_tokenizer, tmp_path / "teacher")
    assert facts.family == "prenorm" and facts.parameters > 0
    assert architecture_of(tmp_path / "teacher") == "prenorm"


def test_commands_that_measure_ctranslate2_refuse_it(tmp_path, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "prenorm", "helpers.prenorm:PreNormModel")
    with pytest.raises(UserError, match="compare measures CTranslate2 exports, but there are none of the architecture"):
        require_ctranslate2("prenorm", "compare")
    require_ctranslate2("marian", "compare")
