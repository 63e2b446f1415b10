"""`distilmt plan` as people use it."""

import json
import random
import shutil
import subprocess

import pytest
from helpers import commands, toy
from helpers.processes import Process

from distilmt import cli
from distilmt.config import loading
from distilmt.labels.store import LabelStore
from distilmt.pipeline import runner
from distilmt.utils.run_dir import read_step

SIZES = ("--sizes", "40,80,160", "--max_steps", "4")


def road(directory, **changes):
    """A toy run whose models are trained on one thread: as small as they are they only wait for a second one."""
    training = {"max_steps": 4, "eval_steps": 4, "threads": 1}
    teacher = dict(training, max_steps=30)  # with fewer it writes without end, and all of that would be dropped
    whole = toy.merged({"teacher": {"training": teacher}, "student": {"training": training}}, changes)
    return toy.write_config(directory / "run.yaml", toy.run_config(directory, **whole))


def message(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["plan", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["plan", *map(str, arguments)]) == 2
    actual = capsys.readouterr()
    assert actual.out == "" and actual.err.count("\n") == 1
    return actual.err


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A run directory with a teacher, no labels of its own, and a plan."""
    directory = tmp_path_factory.mktemp("plan")
    config = road(directory)
    runner.execute_step("corpus", loading.load([str(config)]))
    (directory / "run" / "corpus" / "test.parquet").unlink()  # nothing here may look at it
    assert cli.main(["plan", str(config), *SIZES, "--quiet"]) == 0
    return directory / "run"


def test_it_reports_what_was_trained_without_the_test_set(planned):
    actual = json.loads((planned / "plan" / "plan.json").read_text())
    assert [(p["size"], p["updates"]) for p in actual["points"]] == [(40, 4), (80, 4), (160, 4), (160, 2)]
    assert actual["total"] == 355 and [row["sentences"] for row in actual["lines"]] == [100, 300, 355, 710]
    assert all(row["label_seconds"] > 0 and row["label_bytes"] > 0 for row in actual["lines"])
    assert not actual["learned"]  # four updates teach nothing, which the plan reports
    assert "No recommendation yet" in (planned / "plan" / "plan.md").read_text()
    page = (planned / "plan" / "plan.html").read_text()
    assert page.count("<circle") == 3 and "<polyline" in page and "nan" not in page
    # Subsets lie within each other, and the teacher labeled the biggest alone.
    stores = [LabelStore(planned / "plan" / f"size-{size}" / "labels") for size in (40, 80, 160)]
    ids = [set(store.ids()) for store in stores]
    assert ids[0] < ids[1] < ids[2] and len(ids[2]) == 160
    assert [read_step(store.directory).result["reused"] for store in stores] == [40, 80, 0]


def test_the_same_question_is_served_at_once_and_another_without_training(planned, capsys, monkeypatch):
    config = planned.parent / "run.yaml"
    students = sorted((planned / "plan").glob("*/*/student/step.json"))
    before = [path.stat().st_mtime_ns for path in students]
    requests = (config, *SIZES, "--min_gain", "5", "--price_per_sentence", "0.5")
    assert message(capsys, *requests, "--quiet") == ""
    assert [path.stat().st_mtime_ns for path in students] == before and len(before) == 4
    actual = json.loads((planned / "plan" / "plan.json").read_text())
    assert actual["worth"] == 5 and actual["lines"][0]["price"] == 50
    monkeypatch.setattr(runner, "execute_step", None)
    assert json.loads(message(capsys, *requests, "--json")) == actual
    assert " price |" in message(capsys, *requests)


def test_the_run_takes_the_labels_of_its_plan(planned, tmp_path):
    shutil.copytree(planned, tmp_path / "run", symlinks=True)
    config = loading.load([str(planned.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    record = runner.execute_step("labels", config)
    assert (record.result["sentences"], record.result["reused"]) == (355, 160)
    store, part = LabelStore(tmp_path / "run" / "labels"), LabelStore(planned / "plan" / "size-160" / "labels")
    store.check()
    assert len(set(store.ids())) == 355 and store.ids() == sorted(store.ids())
    output = {row["id"]: row for table in store.shards() for row in table.to_pylist()}
    assert all(output[row["id"]] == row for table in part.shards() for row in table.to_pylist())


def test_what_cannot_be_planned(capsys, tmp_path, planned):
    config = planned.parent / "run.yaml"
    for arguments, line in (
        (("--minutes", "3"), "name a YAML file"),
        ((tmp_path,), "no config.yaml"),
        ((config, "--minutes", "0"), "minutes is 0.0: it must be at least 0.1"),
        ((config, "--minutes", "soon"), "minutes is soon: it must be a number"),
        ((config, "--min_gain", "0"), "min_gain is 0.0: it must be at least 0.001"),
        ((config, "--metric", "ter"), "metric is ter: it must be one of bleu, chrf"),
        ((config, "--sizes", "40,80"), "three different sizes"),
        ((config, "--sizes", "40,80,many"), "sizes is many: it must be whole numbers, separated by commas"),
        ((config, "--max_steps", "1"), "max_steps is 1: it must be at least 2"),
        ((config, "--price_per_sentence", "-1"), "price_per_sentence is -1.0: it must be at least 0"),
        ((config, "--student.model.fnn", "3"), "did you mean"),
        ((config, "--sizes", "40,80,1600", "--quiet"), "only 355 training sentences"),
    ):
        assert line in refused(capsys, *arguments)
    assert "usage: distilmt plan" in message(capsys, "--help")
    assert "too few for a curve" in refused(capsys, road(tmp_path, count=90), "--quiet")


@pytest.mark.slow
def test_the_minutes_decide_sizes_and_updates(planned, tmp_path, capsys):
    shutil.copytree(planned, tmp_path / "run", symlinks=True)
    requests = (planned.parent / "run.yaml", "--run_dir", tmp_path / "run", "--minutes", "0.3")
    actual = json.loads(message(capsys, *requests, "--json"))
    sizes = [p["size"] for p in actual["points"]]
    assert sizes[-1] == sizes[-2] <= 88 and sizes[:-1] == sorted(set(sizes)) and len(sizes) >= 4
    assert actual["updates"] == 4  # no more than the run itself makes


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same_end(tmp_path):
    training = {"training": {"save_interval_seconds": 0.0}}
    requests = ("--sizes", "40,80,160", "--max_steps", "30", "--quiet")
    ends, moments = [], random.Random(2)
    for name, kills in (("straight", []), ("cut", [moments.uniform(0.5, 4) for _ in range(6)])):
        config = road(tmp_path / name, teacher=training, student=training)
        for seconds in kills:
            process = Process("plan", config, *requests, module="distilmt")
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        actual = commands.distilmt("plan", config, *requests)
        assert actual.returncode == 0, actual.stderr.decode()[-3000:]
        points = json.loads((tmp_path / name / "run" / "plan" / "plan.json").read_text())["points"]
        ends.append([{key: value for key, value in p.items() if key != "train_seconds"} for p in points])
    assert ends[0] == ends[1]
