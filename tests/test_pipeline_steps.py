"""What steps depend on, and how they are put together; whole roads are in tests/pipeline."""

from dataclasses import replace

import pytest

from distilmt import pipeline
from distilmt.config import RunConfig
from distilmt.errors import UserError
from distilmt.labels import write
from distilmt.rundir import STEP_FILE, read_json, write_json
from distilmt.steps import learn, signature
from distilmt.steps.export import system_name, wanted

CONFIG = RunConfig()


def depends(change):
    """Steps whose settings differ between the defaults and a changed configuration."""
    changed = change(CONFIG)
    return {name for name in pipeline.STEPS if pipeline._step(name, CONFIG)[0] != pipeline._step(name, changed)[0]}


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (lambda c: replace(c, language="zh"), {"report"}),
        (lambda c: replace(c, evaluation=replace(c.evaluation, bootstrap=7)), {"evaluation", "report"}),
        (lambda c: replace(c, export=replace(c.export, student=["int8"])), {"exports", "report"}),
        (lambda c: replace(c, export=replace(c.export, formats=["onnx"])), {"exports", "report"}),
        (lambda c: replace(c, student=replace(c.student, initialise="evenly")), {"student", "report"}),
        (
            lambda c: replace(c, student=replace(c.student, training=replace(c.student.training, dropout=0.3))),
            {"student", "baseline", "report"},
        ),
        (
            lambda c: replace(c, student=replace(c.student, training=replace(c.student.training, save_seconds=1.0))),
            set(),
        ),
        (lambda c: replace(c, labels=replace(c.labels, max_repetition=3)), {"student", "report"}),
        (lambda c: replace(c, labels=replace(c.labels, beam_size=3)), {"labels", "report"}),
        (lambda c: replace(c, teacher=replace(c.teacher, path="x")), {"teacher", "report"}),
        (lambda c: replace(c, tokenizer=replace(c.tokenizer, vocab_size=99)), {"tokenizer", "report"}),
    ],
)
def test_settings_reach_the_steps_they_concern(change, steps):
    assert depends(change) == steps


def test_the_seed_reaches_every_step_that_draws():
    assert depends(lambda c: replace(c, seed=2)) == set(pipeline.STEPS) - {"exports"}


def test_steps_read_only_what_stands_before_them():
    for i, name in enumerate(pipeline.STEPS):
        assert set(pipeline._READS[name]) <= set(pipeline.STEPS[:i])


def test_what_onnx_needs_is_asked_for_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = replace(CONFIG, run_dir=str(tmp_path / "run"), export=replace(CONFIG.export, formats=["onnx"]))
    with pytest.raises(UserError, match=r"pip install 'distilmt\[onnx\]'"):
        pipeline.run(config)
    assert not (tmp_path / "run").exists()


def test_systems_are_named_by_model_and_type():
    assert [system_name(*found) for found in wanted(CONFIG)] == [
        "teacher",
        "teacher-int8",
        "student",
        "student-int8",
        "baseline",
        "baseline-int8",
    ]
    without = replace(CONFIG, student=replace(CONFIG.student, baseline=False))
    assert not any(model == "baseline" for model, _ in wanted(without))


def test_rows_to_label_are_drawn_by_the_seed():
    assert write.drawn(5, None, (1,)).tolist() == write.drawn(5, 9, (1,)).tolist() == [True] * 5
    drawn = write.drawn(1000, 100, (1,))
    assert len(drawn) == 1000 and drawn.sum() == 100
    assert drawn.tolist() == write.drawn(1000, 100, (1,)).tolist() != write.drawn(1000, 100, (2,)).tolist()


def test_the_baseline_is_trained_as_long_as_the_student(finished, tmp_path):
    config = replace(CONFIG.student.training, updates=500)
    assert learn._as_long_as(config, finished / "student") == replace(config, updates=20, patience=0)
    assert learn._as_long_as(config, tmp_path) == config


def test_the_signature_tells_runs_apart():
    signatures = {
        signature(change)
        for change in (
            CONFIG,
            replace(CONFIG, seed=2),
            replace(CONFIG, labels=replace(CONFIG.labels, beam_size=9)),
            replace(CONFIG, student=replace(CONFIG.student, initialise="evenly")),
            replace(CONFIG, student=replace(CONFIG.student, objective=replace(CONFIG.student.objective, tail="zero"))),
        )
    }
    assert len(signatures) == 5 and not any("\n" in s for s in signatures)


def test_a_report_that_was_deleted_is_written_again(finished, tmp_path):
    import shutil

    from distilmt import settings

    shutil.copytree(finished, tmp_path / "run")
    config = settings.load([str(finished.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    pipeline.do("report", config)
    (tmp_path / "run" / "report.html").unlink()
    pipeline.run(config)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_damaged_record_is_told(finished, tmp_path):
    import shutil

    from distilmt import settings

    shutil.copytree(finished, tmp_path / "run")
    record = read_json(tmp_path / "run" / "labels" / STEP_FILE)
    del record["fingerprint"]
    write_json(tmp_path / "run" / "labels" / STEP_FILE, record)
    config = settings.load([str(finished.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    with pytest.raises(UserError, match=r"labels/step\.json is damaged"):
        pipeline.run(config)


def test_runs_of_before_a_key_came_stay_done():
    """Settings of the first release, written out: whoever has trained for a day must not do so again."""
    cleaning = {"min_words": 1, "max_words": 150, "max_chars": 1500, "max_ratio": 3.0, "drop_identical": True}
    cleaning |= {"drop_duplicates": True, "language_id": False}
    corpus = {"source": "en", "target": "it", "train": [], "valid": [], "test": [], "name": None, "valid_size": 1500}
    corpus |= {"test_size": 2000, "max_train": None, "cleaning": cleaning, "seed": 1}
    assert pipeline._settings("corpus", CONFIG) == corpus
    teacher = pipeline._settings("teacher", CONFIG)
    assert set(teacher) == {"path", "model", "training", "source", "target", "seed"}
    labels = pipeline._settings("labels", CONFIG)
    assert set(labels) == {
        *("beam_size", "hypotheses", "sampling", "length_penalty", "compute_type", "top_k", "score_on", "ensemble"),
        *("max_sentences", "shard_size", "source", "target", "seed"),
    }
    changed = replace(CONFIG, corpus=replace(CONFIG.corpus, monolingual=["a.en"]))
    assert pipeline._settings("corpus", changed)["monolingual"] == ["a.en"]
