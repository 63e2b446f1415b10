"""Runs whose student starts from a trained one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distilmt.config import RunConfig, loading
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.models.checkpoint import load_model
from distilmt.pipeline import runner
from distilmt.pipeline.pretrained_student import check_pretrained, pretrained_directory
from distilmt.pipeline.settings import settings_of
from distilmt.pipeline.step import step_named
from distilmt.utils.errors import UserError


@pytest.fixture
def config(finished_run: Path, tmp_path: Path) -> RunConfig:
    """A run with the corpus and labels of the finished one, whose student is to start from that run's student."""
    for name in ("corpus", "tokenizer", "teacher", "labels"):
        shutil.copytree(finished_run / name, tmp_path / "run" / name)
    shutil.copytree(finished_run / "student", tmp_path / "start" / "student")
    keys: dict[str, object] = {"run_dir": tmp_path / "run", "student.pretrained": tmp_path / "start"}
    keys |= {"student.training.max_steps": 2, "student.training.learning_rate": 0}
    flags = [part for key, value in keys.items() for part in (f"--{key}", str(value))]
    return loading.load([str(finished_run.parent / "run.yaml"), *flags])


def with_vocabulary(config: RunConfig) -> RunConfig:
    return replace(config, tokenizer=replace(config.tokenizer, path=str(config.paths.tokenizer)))


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_model(directory).state_dict()


def test_student_and_baseline_start_from_its_weights(config: RunConfig, tmp_path: Path) -> None:
    """At a learning rate of zero they stay."""
    for name in ("student", "baseline"):
        runner.execute_step(name, config)
        before, after = weights(tmp_path / "start" / "student"), weights(config.paths.step(name))
        assert all(torch.allclose(value, after[key], atol=1e-6) for key, value in before.items())


def test_the_content_of_the_start_counts_and_not_its_place(config: RunConfig, tmp_path: Path) -> None:
    record = runner.execute_step("student", config)
    moved = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "start" / "student", moved)
    for place in (moved, tmp_path / "start"):
        there = replace(config, student=replace(config.student, pretrained=str(place)))
        assert settings_of(step_named("student"), there)["weights"] == record.settings["weights"]
        assert runner.is_done("student", there)
    file = tmp_path / "start" / "student" / "model.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "final_logits_bias": tensors["final_logits_bias"] + 1}, file, {"format": "pt"})
    assert not runner.is_done("student", config)
    assert not runner.is_done("student", replace(config, student=replace(config.student, pretrained=None)))


def test_a_run_an_export_or_a_model_directory_is_a_start(finished_run: Path, tmp_path: Path) -> None:
    student = finished_run / "student"
    assert pretrained_directory(str(finished_run)) == pretrained_directory(str(student)) == student
    assert pretrained_directory(str(finished_run / "exports" / "student-int8")) == student
    assert pretrained_directory(str(finished_run / "exports" / "baseline-int8")) == finished_run / "baseline"
    with pytest.raises(UserError, match=r"^student.pretrained \S+/none is not a directory: name a run, an export"):
        pretrained_directory(str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"^student.pretrained \S+ has no weights that can be trained"):
        pretrained_directory(str(finished_run / "corpus"))


def test_an_export_without_its_run_is_read_back_once(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    export = tmp_path / "elsewhere"
    shutil.copytree(finished_run / "exports" / "student-int8", export)
    directory = pretrained_directory(str(export))
    assert directory.is_relative_to(tmp_path / "cache") and load_tokenizer(directory).fingerprint
    before, after = weights(finished_run / "student"), weights(directory)
    assert all(float((value - after[name]).abs().max()) < 0.1 for name, value in before.items())
    modified = (directory / "model.safetensors").stat().st_mtime_ns
    assert pretrained_directory(str(export)) == directory
    assert (directory / "model.safetensors").stat().st_mtime_ns == modified
    (export / "model.bin").write_bytes(b"no model")
    with pytest.raises(UserError, match=rf"^{export}: model.bin cannot be read"):
        pretrained_directory(str(export))


def test_what_does_not_go_together_is_one_line(config: RunConfig) -> None:
    with pytest.raises(UserError, match=r"has a vocabulary of its own: set tokenizer.path to \S+/student$"):
        check_pretrained(config)
    check_pretrained(with_vocabulary(config))
    wider = replace(config.student, model=replace(config.student.model, d_model=32))
    with pytest.raises(UserError, match=r"another shape than student.model \(d_model is 16 there, 32 here\)"):
        check_pretrained(replace(with_vocabulary(config), student=wider))
    with pytest.raises(UserError, match=r"student.pretrained and student.initialization first are both set"):
        replace(config.student, initialization="first")
    runner.execute_step("student", config)
    check_pretrained(config)  # what was trained is not checked again


def test_keys_of_other_starts_make_no_difference(finished_run: Path) -> None:
    config = loading.load([str(finished_run.parent / "run.yaml"), "--student.pretrained_parts", "encoder"])
    for name in ("student", "baseline"):
        assert runner.is_done(name, config)
