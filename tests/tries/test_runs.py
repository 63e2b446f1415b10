"""Tries of runs: what lies in a run's directory, refused values, and what can be known before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers import toy

from distilmt.config import loading
from distilmt.pipeline import preflight, runner
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import write_json


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory of a user's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    toy.write_corpus(tmp_path / "texts", 40)
    return tmp_path


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refusal(*flags: str, until: str = "corpus") -> str:
    """Why a run is refused; all files are as they were."""
    before = files(Path())
    with pytest.raises(UserError) as refused:
        runner.run(loading.load([*TEXTS, *flags]), until)
    assert files(Path()) == before and "\n" not in str(refused.value)
    return str(refused.value)


TEXTS = ["--corpus.train", "[texts/text.en,texts/text.it]"]


def test_d1_a_corpus_directory_of_ones_own_is_not_emptied(project):
    (project / "texts").rename(project / "corpus")
    report_text = refusal("--run_dir", ".", "--corpus.train", "[corpus/text.en,corpus/text.it]")
    assert "corpus/text.en is in ." in report_text and "choose another run_dir" in report_text


def test_d1_a_teacher_in_the_runs_own_directory_is_not_emptied(project, trained_model):
    shutil.copytree(trained_model, project / "teacher")
    report_text = refusal("--run_dir", ".", "--teacher.path", "teacher", "--tokenizer.path", "teacher")
    assert "teacher" in report_text and "choose another run_dir" in report_text


@pytest.mark.parametrize("run_dir", ["", " "])
def test_d1_an_empty_run_dir_is_not_the_current_directory(project, run_dir):
    assert "run_dir is empty" in refusal("--run_dir", run_dir)


@pytest.mark.parametrize("name", ["student/mine.txt", "exports/mine.txt", "config.yaml"])
def test_d1_files_of_ones_own_stay(project, name):
    own = project / "place" / name
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    assert "place" in refusal("--run_dir", "place")


REFUSED = [
    ["--teacher.path", "/nonexistent/model"],
    ["--teacher.command", "no-such-program-anywhere"],
    ["--teacher.url", "down"],
    ["--teacher.model.d_model", "33"],
    ["--student.model.d_model", "15"],
    ["--labels.top_k", "60000"],
    ["--labels.ensemble", "[texts]"],
    ["--labels.backward_model", "texts"],
    ["--tokenizer.path", "/nonexistent"],
    ["--corpus.train", "[texts/text.en,texts/short.it]"],
    ["--teacher.path", "bare"],
    ["--teacher.path", "damaged"],
]


@pytest.mark.parametrize("flags", REFUSED, ids=" ".join)
def test_d2_d5_refused_values_leave_all_as_it_was(project, flags):
    (project / "texts" / "short.it").write_text("one\n")
    for name, text in (("bare", None), ("damaged", "{")):
        (project / name).mkdir()
        (project / name / "model.safetensors").write_bytes(b"weights")
        if text:
            (project / name / "config.json").write_text(text)
    assert refusal("--run_dir", "place", *flags)


def test_k2_a_teacher_of_other_pieces_is_refused_at_once(project, trained_model):
    report_text = refusal("--run_dir", "place", "--labels.top_k", "8", "--teacher.path", str(trained_model))
    assert "labels.top_k is 8" in report_text and f"set tokenizer.path to {trained_model}" in report_text
    own = ["--teacher.path", str(trained_model), "--tokenizer.path", str(trained_model)]
    preflight.check(loading.load([*TEXTS, *own, "--student.initialization", "random"]), exporting=False)


def test_an_objective_over_words_without_words_is_refused_at_once(project):
    message = refusal("--run_dir", "place", "--labels.top_k", "0", until="student")
    assert "kd_weight is 0.7, but labels.top_k is 0" in message and "set the first to 0" in message


def test_a_second_pass_without_dropout_is_refused_at_once(project):
    flags = ("--student.objective.r_drop_weight", "1", "--student.training.dropout", "0")
    message = refusal("--run_dir", "place", *flags, until="student")
    assert "r_drop_weight needs dropout" in message and "student.training.dropout is 0: set it above 0" in message


@pytest.mark.parametrize("key", ["hidden_state_weight", "attention_weight"])
def test_states_of_a_program_are_refused_at_once(project, key):
    flags = ("--teacher.command", "cat", "--labels.top_k", "0", "--student.objective.kd_weight", "0")
    message = refusal("--run_dir", "place", *flags, f"--student.objective.{key}", "1", until="student")
    assert f"student.objective.{key} is 1, but teacher 'cat' gives only translations: set it to 0" in message


def test_a_page_without_its_runtime_is_refused_before_a_model_is_trained(project):
    with pytest.raises(UserError, match=r"export\.node_modules elsewhere has no onnxruntime-web: run `npm install"):
        runner.run(loading.load([*TEXTS, "--export.formats", "[web]", "--export.node_modules", "elsewhere"]), "report")
    assert not (project / "runs").exists()


def test_w2_an_older_report_is_not_taken_for_todays(project):
    config = loading.load([*TEXTS, "--run_dir", "place"])
    for name in ("report.json", "report.html"):
        write_json(project / "place" / name, {})
    assert not runner.is_reported(config)


@pytest.mark.parametrize("name", ["nosuch/model", "no such name", "a--b"])
def test_a_hub_name_without_a_network_is_refused_before_anything_is_written(project, name):
    assert name in refusal("--run_dir", "place", "--teacher.path", name)


def test_a_disk_that_cannot_hold_the_models_is_refused(project, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=1000))
    assert "0.0 MB are free" in refusal("--run_dir", "place")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a directory that nobody may write to")
def test_a_directory_that_cannot_be_written_is_refused(project):
    assert "is not writable" in refusal("--run_dir", "/proc/self/run")


@pytest.mark.parametrize("flags", [["--teacher.path", "nosuch/model"], ["--student.model.d_model", "15"]])
def test_d2_refused_values_leave_finished_steps(finished_run, tmp_path, flags):
    run = shutil.copytree(finished_run, tmp_path / "run")
    before = files(run)
    with pytest.raises(UserError):
        runner.run(loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(run), *flags]))
    assert files(run) == before


def test_d3_what_changes_nothing_redoes_nothing(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.glob("*/step.json")}
    flags = ["--corpus.license", "CC0-1.0", "--corpus.max_train", "100000", "--tokenizer.input_sentence_size", "400000"]
    flags += [
        "--teacher.training.patience",
        "1000",
        "--labels.max_sentences",
        "100000",
        "--student.on_policy.rounds",
        "3",
    ]
    config = loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(run), *flags])
    runner.run(config, "student")
    steps = ("corpus", "tokenizer", "teacher", "labels", "student")
    assert all((run / step / "step.json").read_bytes() == before[run / step / "step.json"] for step in steps)
    assert not list(run.glob("*.before-*"))
