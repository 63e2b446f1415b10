import getpass
import json
import socket
from pathlib import Path

import pytest

from distilmt.evaluation.output_checks import OutputChecks
from distilmt.evaluation.quality import TranslationScores
from distilmt.evaluation.speed import Speed
from distilmt.pipeline.step_directory import run_step
from distilmt.report import build
from distilmt.utils.machine_info import machine

SOURCES = [f"sentence number {i}" for i in range(30)]
REFERENCES = [f"frase numero {i} di prova" for i in range(30)]
SCORES = TranslationScores(30.0, 50.0, 60.0, "b", "c", "t")


def translations() -> dict[str, list[str]]:
    student = list(REFERENCES)
    for i in (3, 17, 25):
        student[i] = "tutt'altro"
    return {"teacher": list(REFERENCES), "student-int8": student}


def test_examples_are_half_random_half_where_systems_differ_most():
    result = build.select_examples(SOURCES, REFERENCES, translations(), count=6, seed=4)
    assert [example["chosen"] for example in result] == ["random"] * 3 + ["differs"] * 3
    shown = [example["source"] for example in result]
    assert len(set(shown)) == 6
    assert {SOURCES[i] for i in (3, 17, 25)} <= set(shown)
    assert result == build.select_examples(SOURCES, REFERENCES, translations(), count=6, seed=4)
    assert shown[:3] != [e["source"] for e in build.select_examples(SOURCES, REFERENCES, translations(), 6, seed=5)][:3]


def test_examples_carry_all_translations_and_their_scores():
    example = build.select_examples(SOURCES, REFERENCES, translations(), count=6)[-1]
    assert example["translations"]["teacher"] == example["reference"]
    assert example["chrf"]["teacher"] == 100.0
    assert example["chrf"]["student-int8"] < 50


def test_examples_without_a_student_are_all_random():
    result = build.select_examples(SOURCES, REFERENCES, {"teacher": REFERENCES}, count=6)
    assert [example["chosen"] for example in result] == ["random"] * 6


def test_repeated_sentences_are_shown_once():
    sources = ["same"] * 29 + ["other"]
    result = build.select_examples(sources, REFERENCES, translations(), count=20)
    assert sorted(example["source"] for example in result) == ["other", "same"]


def test_comparisons_are_of_the_systems_there_are():
    rows = build.comparisons(translations(), REFERENCES, "it", samples=20)
    assert [(row["a"], row["b"], row["metric"]) for row in rows] == [
        ("student-int8", "teacher", "bleu"),
        ("student-int8", "teacher", "chrf"),
    ]
    assert all(row["difference"] < 0 for row in rows)


def test_a_system_holds_what_was_measured_and_no_more():
    assert build.system("student", 10, 4) == {"name": "student", "parameters": None, "file_bytes": 10, "beam_size": 4}
    batches = {"batch_1": 1.0, "batch_64": 2.0}
    speed = Speed(0.1, batches, batches, {"p50": 1.0, "p95": 2.0}, 5, {"batch_1": 20, "batch_64": 64}, 3)
    row = build.system("student", 10, 4, SCORES, speed, OutputChecks(30, 1, 0, 0, 2), parameters=7)
    assert (row["bleu"], row["peak_rss_bytes"], row["parameters"]) == (30.0, 5, 7)
    assert row["sentences_per_second"] == batches and row["health"]["empty"] == 1


def test_steps_are_read_from_finished_directories(tmp_path):
    run_step(tmp_path / "corpus", {}, {}, lambda directory: None)
    (tmp_path / "teacher").mkdir()
    result = build.steps([tmp_path / "corpus", tmp_path / "teacher", tmp_path / "nothing"])
    assert [step["name"] for step in result] == ["corpus"]
    assert result[0]["peak_rss_bytes"] > 0


def test_a_report_has_all_keys_and_is_strict_json():
    measurements = build.RunMeasurements(
        "signature",
        {"source": "en", "target": "it"},
        build.about_test(30, SCORES),
        [build.system("student", 10, 4, SCORES)],
        curves={"student": [{"update": 1, "train_loss": float("nan")}]},
        config={"path": Path("x")},
    )
    report = build.build(measurements)
    keys = "signature pair test systems comparisons slices steps cost curves examples corpus labels challenge_sets"
    assert set(report) == {*keys.split(), "pictures", "speech", "machine", "config", "distilmt_version", "date"}
    assert report["curves"]["student"][0]["train_loss"] is None
    assert report["config"] == {"path": "x"}
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize(("value", "expected"), [(float("-inf"), None), ((1, "a"), [1, "a"]), ({1: True}, {"1": True})])
def test_plain_values(value, expected):
    assert build.to_strict_json(value) == expected


def test_machine_reports_the_processor_but_not_whose_it_is():
    result = machine()
    assert result["cpu"] and result["cores"] >= 1 and result["memory_bytes"] > 1e8
    assert "ctranslate2" in result["versions"]
    values = [str(value) for value in result.values()]
    assert socket.gethostname() not in values and getpass.getuser() not in values
