"""Works, rows and tables of a toy run."""

import json
from dataclasses import replace

import pytest

from distilmt.config import loading
from distilmt.planning import corpus_statistics as texts
from distilmt.planning import predict
from distilmt.planning.calibration import fit_rates, observations_of
from distilmt.planning.step_costs import RunMeasurements, read_measurements, step_costs
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.sizes import total_bytes


@pytest.fixture(scope="module")
def config(finished_run):
    return loading.load([str(finished_run / "config.yaml"), "--run_dir", str(finished_run)])


@pytest.fixture(scope="module")
def text(config):
    return texts.read(config)


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_the_text_is_the_runs_own(config, text, finished_run):
    result = read_step(finished_run / "corpus").result
    assert text.ready and text.pairs == result["train"] and text.shared
    assert text.vocabulary == read_step(finished_run / "tokenizer").result["sizes"][0]
    load, sentences = text.mean_batch(512, 64)
    assert 512 * 0.6 < load.target <= 640 and sentences * text.tokens()[1] == pytest.approx(load.target, rel=0.35)


def test_files_report_the_same_before_the_run(config, text, tmp_path):
    before = texts.read(replace(config, run_dir=str(tmp_path)))
    assert not before.ready and before.pairs == pytest.approx(text.pairs, rel=0.05)
    assert before.vocabulary == pytest.approx(text.vocabulary, rel=0.1)
    assert before.tokens() == pytest.approx(text.tokens(), rel=0.1)


def test_text_that_must_be_fetched_is_requested(config, tmp_path):
    corpus = replace(config.corpus, train=[], dataset="debian")
    with pytest.raises(UserError, match="distilmt prepare"):
        texts.read(replace(config, corpus=corpus, run_dir=str(tmp_path)))


def test_counts_are_those_of_what_was_created(config, text, finished_run):
    for row in predict.predicted_costs(config, text, None):
        record, name = read_step(finished_run / row["name"]), row["name"]
        if name in ("teacher", "student", "baseline"):
            assert row["parameters"] == record.result["parameters"]
        assert row["seconds"] is None and row["peak_rss_bytes"] is None


def test_bytes_are_those_that_were_written(config, text, finished_run):
    """Within 15 %: models this small are half headers, lists of pieces and logs."""
    for row in predict.predicted_costs(config, text, None):
        if row["name"] != "exports":
            real = total_bytes(finished_run / row["name"])
            assert row["bytes"]["kept"] == pytest.approx(real, rel=0.15, abs=4000), row["name"]
    store = sum(path.stat().st_size for path in (finished_run / "labels").glob("*.parquet"))
    assert 0.5 * store < by_name(predict.predicted_costs(config, text, None))["labels"]["bytes"]["kept"]


def test_works_grow_as_the_configuration_does(config, text):
    base = {work.name: work for work in step_costs(config, text)}
    longer = replace(config.student, training=replace(config.student.training, max_steps=200))
    tenfold = {work.name: work for work in step_costs(replace(config, student=longer), text)}
    assert tenfold["student"].flops == pytest.approx(10 * base["student"].flops)
    assert tenfold["baseline"].flops == pytest.approx(10 * base["baseline"].flops)
    assert tenfold["teacher"].flops == base["teacher"].flops
    drop = replace(config.student, objective=replace(config.student.objective, r_drop_weight=1.0))
    assert {w.name: w for w in step_costs(replace(config, student=drop), text)}["student"].flops > 2 * base[
        "student"
    ].flops
    silent = replace(config, labels=replace(config.labels, num_hypotheses=0, score_on="reference"))
    labels = {w.name: w for w in step_costs(silent, text)}["labels"]
    assert labels.drivers["labeling"]["decoding FLOPs"] == 0 < labels.drivers["labeling"]["scoring FLOPs"]
    alone = replace(config, student=replace(config.student, baseline=False))
    assert [work.name for work in step_costs(alone, text)] == ["teacher", "labels", "student", "exports"]


def test_what_was_stated_counts_in_place_of_what_was_expected(config, text, finished_run):
    facts = read_measurements(RunPaths(finished_run))
    assert facts.updates == {"teacher": 30, "student": 20, "baseline": 20} and facts.hypothesis_tokens > 355
    assert set(facts.lengths) == set(facts.updates) and min(facts.lengths.values()) > 0
    expected = step_costs(config, text, RunMeasurements())[1].drivers["labeling"]["words"]
    wordy = step_costs(config, text, RunMeasurements({}, {"teacher": 3.0}))[0].drivers["validation"]
    assert wordy["words"] == pytest.approx(3 * step_costs(config, text)[0].drivers["validation"]["words"])
    doubled = RunMeasurements({}, {}, 2 * text.pairs * text.tokens()[1])
    assert step_costs(config, text, doubled)[1].drivers["labeling"]["words"] == pytest.approx(2 * expected)


def test_a_finished_run_is_measured_and_its_rates_predict_it(config, text):
    rows = by_name(predict.measured_costs(config, text))
    assert set(rows) == {"teacher", "labels", "student", "baseline", "exports"}
    assert rows["teacher"]["flops"] > rows["student"]["flops"] > 0 and rows["labels"]["seconds"] > 0
    seen, memory = observations_of(config, text)
    assert {o.kind for o in seen} == {"training", "validation", "labeling"} and len(memory) == 4
    rates = fit_rates(seen, memory, "the toy run")
    guess = by_name(predict.predicted_costs(config, text, rates))
    real = rows["labels"]["seconds"]  # the one labelling: its pace is known exactly, but for the rounding of the record
    assert 0.1 * real < guess["labels"]["seconds"] < 10 * real
    grown = predict.growth(config, text, rates)
    assert grown["corpus"]["labels"] == pytest.approx(2, rel=0.1)
    assert grown["updates"]["teacher"] > 1.5 and grown["depth"]["teacher"] > grown["vocabulary"]["labels"] / 2
    capped = replace(config.teacher, training=replace(config.teacher.training, max_seconds=0.001))
    assert by_name(predict.predicted_costs(replace(config, teacher=capped), text, rates))["teacher"]["seconds"] == 0.001


def test_a_teacher_of_another_make_is_counted_by_its_record(config, text, finished_run):
    outside = replace(config, teacher=replace(config.teacher, path="google/t5"), run_dir=str(finished_run / "nowhere"))
    works = {work.name: work for work in step_costs(outside, text)}
    assert works["teacher"].flops is None and works["labels"].drivers == {} and works["student"].flops > 0


def test_the_report_of_a_run_holds_its_cost(finished_run):
    report = json.loads((finished_run / "report.json").read_text())
    rows = by_name(report["cost"])
    assert set(rows) == {"teacher", "labels", "student", "baseline", "exports"}
    assert rows["student"]["macs_per_token"]["decoder"]["vocabulary"] > 0
    assert "On disk" in (finished_run / "report.html").read_text()


def test_a_run_on_the_students_own_words_requests_the_teacher_again(config, text):
    policy = replace(config.student.on_policy, steps=10, rounds=2)
    work = step_costs(replace(config, student=replace(config.student, on_policy=policy)), text)[2]
    assert work.drivers["training"]["updates"] == 40 and work.drivers["labeling"]["starts"] == 2
