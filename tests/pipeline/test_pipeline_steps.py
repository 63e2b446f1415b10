"""What steps depend on, and how they are put together; whole roads are in tests/pipeline."""

import inspect
from dataclasses import replace

import pytest

from distilmt.config import RunConfig
from distilmt.config.systems import system_name
from distilmt.labels import writer
from distilmt.pipeline import runner, steps, unreached_limits
from distilmt.pipeline.step import RUN_STEPS, STEPS, run_keys, step_named, steps_until
from distilmt.pipeline.steps import signature, train
from distilmt.pipeline.steps.export import ctranslate2_exports
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import STEP_FILE, read_json, write_json

CONFIG = RunConfig()


def test_steps_return_the_results_that_they_name():
    for step in STEPS:
        assert inspect.get_annotations(getattr(steps, step.function))["return"] == step.result_type.__name__


def test_steps_read_only_steps_before_them():
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    for number, step in enumerate(STEPS):
        assert set(step.reads) <= set(names[:number])
        assert getattr(steps, step.function).__doc__


def test_a_run_has_the_steps_that_its_configuration_needs():
    run_steps = [step.name for step in steps_until("report", CONFIG)]
    assert run_steps == ["corpus", "references", *RUN_STEPS[1:]]  # this configuration names no text
    corpus = replace(CONFIG.corpus, train=["a.en", "a.it"])
    config = replace(CONFIG, corpus=corpus, student=replace(CONFIG.student, baseline=False))
    assert [step.name for step in steps_until("exports", config)] == [
        *("corpus", "tokenizer", "teacher", "labels", "student", "exports")
    ]
    assert step_named("exports").inputs(config) == ["tokenizer", "teacher", "student"]
    selecting = replace(config, labels=replace(config.labels, rerank="oracle"))
    assert "selection" in [step.name for step in steps_until("student", selecting)]
    assert step_named("student").inputs(selecting) == ["corpus", "tokenizer", "labels", "selection", "teacher"]


def test_rules_name_only_keys_that_exist():
    """A key that is renamed without its rule fails here."""
    assert set(unreached_limits.RULES) <= set(run_keys())


def test_systems_are_named_by_model_and_type():
    assert [system_name(*result) for result in ctranslate2_exports(CONFIG)] == [
        "teacher",
        "teacher-int8",
        "student",
        "student-int8",
        "baseline",
        "baseline-int8",
    ]
    without = replace(CONFIG, student=replace(CONFIG.student, baseline=False))
    assert not any(model == "baseline" for model, _ in ctranslate2_exports(without))


def test_rows_to_label_are_sampled_by_the_seed():
    assert writer.sample_mask(5, None, (1,)).tolist() == writer.sample_mask(5, 9, (1,)).tolist() == [True] * 5
    sample = writer.sample_mask(1000, 100, (1,))
    assert len(sample) == 1000 and sample.sum() == 100
    assert (
        sample.tolist() == writer.sample_mask(1000, 100, (1,)).tolist() != writer.sample_mask(1000, 100, (2,)).tolist()
    )


def test_the_baseline_is_trained_as_long_as_the_student(finished_run, tmp_path):
    config = replace(CONFIG.student.training, max_steps=500)
    assert train.with_student_updates(config, finished_run / "student") == replace(config, max_steps=20, patience=0)
    assert train.with_student_updates(config, tmp_path) == config


def test_the_signature_distinguishes_runs():
    signatures = {
        signature(change)
        for change in (
            CONFIG,
            replace(CONFIG, seed=2),
            replace(CONFIG, labels=replace(CONFIG.labels, beam_size=9)),
            replace(CONFIG, student=replace(CONFIG.student, initialization="spaced")),
            replace(CONFIG, student=replace(CONFIG.student, objective=replace(CONFIG.student.objective, tail="zero"))),
        )
    }
    assert len(signatures) == 5 and not any("\n" in s for s in signatures)


def test_a_report_that_was_deleted_is_written_again(finished_run, tmp_path):
    import shutil

    from distilmt.config import loading

    shutil.copytree(finished_run, tmp_path / "run")
    config = loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    runner.execute_step("report", config)
    (tmp_path / "run" / "report.html").unlink()
    runner.run(config)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_damaged_record_is_reported(finished_run, tmp_path):
    import shutil

    from distilmt.config import loading

    shutil.copytree(finished_run, tmp_path / "run")
    record = read_json(tmp_path / "run" / "labels" / STEP_FILE)
    del record["fingerprint"]
    write_json(tmp_path / "run" / "labels" / STEP_FILE, record)
    config = loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    with pytest.raises(UserError, match=r"labels/step\.json is damaged"):
        runner.run(config)
