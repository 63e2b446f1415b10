"""A run's student beside the outputs of other systems."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from helpers import commands

from distilmt.evaluation.quality import paired_bootstrap, score


@pytest.fixture
def run(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def evaluate(run, *arguments):
    options = ("--run_dir", run, *arguments)
    return commands.distilmt("evaluate", run / "config.yaml", *options, "--json")


def test_other_systems_are_in_the_table(run, tmp_path):
    test = pq.read_table(run / "corpus" / "test.parquet").to_pydict()
    student = json.loads((run / "evaluation" / "student-int8.json").read_text())["translations"]
    outputs = {"perfect": test["target"], "poor": ["rota."] * 25}
    (tmp_path / "perfect.txt").write_text("".join(f"{line}\n" for line in outputs["perfect"]))
    rows = [{"id": number, "translation": "rota."} for number in test["id"]]
    (tmp_path / "poor.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    before = (run / "evaluation" / "step.json").read_bytes()
    process = evaluate(run, "--against", f"perfect={tmp_path}/perfect.txt", "--against", f"poor={tmp_path}/poor.jsonl")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    report = json.loads(process.stdout)
    assert report == json.loads((run / "report.json").read_text())
    assert (run / "evaluation" / "step.json").read_bytes() == before, "nothing is translated again"
    systems = {system["name"]: system for system in report["systems"]}
    assert systems["perfect"]["bleu"] == pytest.approx(100)
    assert systems["poor"]["chrf"] == score(outputs["poor"], test["target"], "it").chrf
    assert systems["poor"]["file_bytes"] is None and systems["poor"]["health"]["length_outliers"] >= 0
    for name, translations in outputs.items():
        pair = [row for row in report["comparisons"] if row["b"] == name]
        expected = paired_bootstrap(("student-int8", student), (name, translations), test["target"], "it", 20, 1)
        assert pair == json.loads(json.dumps(expected))
    assert "perfect" in (run / "report.html").read_text()
    assert report["examples"][0]["translations"]["poor"] == "rota."

    (tmp_path / "perfect.txt").write_text("rota.\n" * 25)
    arguments = "--evaluation.against", f"perfect={tmp_path}/perfect.txt"
    process = evaluate(run, *arguments)
    assert json.loads(process.stdout)["systems"][-1]["bleu"] == systems["poor"]["bleu"], "a changed file is read again"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("other={}/short.txt", "has 1 translations, but the test set has 25 sentences"),
        ("teacher={}/whole.txt", "'teacher' is a system of the run"),
        ("other={}/absent.txt", "absent.txt does not exist"),
        ("other", "write NAME=FILE"),
    ],
)
def test_what_does_not_fit_is_one_line(run, tmp_path, entry, message):
    (tmp_path / "short.txt").write_text("one\n")
    (tmp_path / "whole.txt").write_text("one\n" * 25)
    before = (run / "report.json").read_bytes()
    assert message in commands.error_line(evaluate(run, "--against", entry.format(tmp_path)))
    assert (run / "report.json").read_bytes() == before
