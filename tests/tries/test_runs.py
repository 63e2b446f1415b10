"""Tries of runs: what lies in a run's directory, refused values, and what can be known before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import toy

from distilmt import pipeline, preflight, settings
from distilmt.errors import UserError
from distilmt.rundir import write_json


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory of a user's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    toy.write_corpus(tmp_path / "texts", 40)
    return tmp_path


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refusal(*flags: str) -> str:
    """Why a run is refused; all files are as they were."""
    before = files(Path())
    with pytest.raises(UserError) as refused:
        pipeline.run(settings.load([*TEXTS, *flags]), "corpus")
    assert files(Path()) == before and "\n" not in str(refused.value)
    return str(refused.value)


TEXTS = ["--corpus.train", "[texts/text.en,texts/text.it]"]


def test_d1_a_corpus_directory_of_ones_own_is_not_emptied(project):
    (project / "texts").rename(project / "corpus")
    told = refusal("--run_dir", ".", "--corpus.train", "[corpus/text.en,corpus/text.it]")
    assert "corpus/text.en lies in ." in told and "name another run_dir" in told


def test_d1_a_teacher_in_the_runs_own_directory_is_not_emptied(project, learnt):
    shutil.copytree(learnt, project / "teacher")
    told = refusal("--run_dir", ".", "--teacher.path", "teacher", "--tokenizer.path", "teacher")
    assert "teacher" in told and "name another run_dir" in told


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
    ["--labels.reverse", "texts"],
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


def test_k2_a_teacher_of_other_pieces_is_refused_at_once(project, learnt):
    told = refusal("--run_dir", "place", "--labels.top_k", "8", "--teacher.path", str(learnt))
    assert "labels.top_k is 8" in told and f"set tokenizer.path to {learnt}" in told
    own = ["--teacher.path", str(learnt), "--tokenizer.path", str(learnt)]
    preflight.check(settings.load([*TEXTS, *own, "--student.initialise", "random"]), exporting=False)


def test_a_page_without_its_runtime_is_refused_before_a_model_is_trained(project):
    with pytest.raises(UserError, match=r"export\.node_modules elsewhere has no onnxruntime-web: run `npm install"):
        pipeline.run(
            settings.load([*TEXTS, "--export.formats", "[web]", "--export.node_modules", "elsewhere"]), "report"
        )
    assert not (project / "runs").exists()


def test_w2_an_older_report_is_not_taken_for_todays(project):
    config = settings.load([*TEXTS, "--run_dir", "place"])
    for name in pipeline.REPORT:
        write_json(project / "place" / name, {})
    assert not pipeline.is_reported(config)
