"""A run that is killed, again and again, comes to the same end."""

import json
import random
import shutil
import subprocess

import pyarrow.parquet as pq
import pytest
from helpers import commands, toy
from helpers.processes import Process

from distilmt.config import loading
from distilmt.labels.store import LabelStore
from distilmt.pipeline import runner
from distilmt.pipeline.step import RUN_STEPS
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step


def copied(finished_run, tmp_path, step):
    """The configuration of a copy of a finished run in which a step's record is missing."""
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run" / step / "step.json").unlink()
    return loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])


def killed(config, seconds):
    """Start a run and kill it after so many seconds; returns whether it was still at work."""
    process = Process("run", config, "--quiet", module="distilmt")
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0, process.written()[1].decode()[-3000:]
    return False


def check_end(config, run, finished_run=None):
    process = commands.distilmt("run", config, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    store = LabelStore(run / "labels")
    store.check()
    ids = pq.read_table(run / "corpus" / "train.parquet")["id"].to_pylist()
    assert sorted(store.ids()) == sorted(ids) and len(set(ids)) == len(ids)
    report = json.loads((run / "report.json").read_text())
    assert len(report["systems"]) == 3 and (run / "report.html").exists()
    assert all(read_step(run / name) for name in RUN_STEPS)
    strays = [path for path in run.rglob("*") if path.name.startswith(".") or "checkpoint" in path.name]
    assert [path.name for path in strays] == [".lock"]
    if finished_run:  # what a run makes does not depend on how often it was killed
        for name in ("teacher", "student", "baseline"):
            model = f"{name}/model.safetensors"
            assert (run / model).read_bytes() == (finished_run / model).read_bytes(), name


def test_killed_at_random_moments(finished_run, tmp_path):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    moments = random.Random(4)
    cut = [killed(config, moments.uniform(0.2, 1.5)) for _ in range(4)]
    assert any(cut)
    check_end(config, tmp_path / "run", finished_run)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_many_times(finished_run, tmp_path, seed):
    """Longer trainings that save all the time, so that kills fall into saving, labelling and exporting."""
    training = {"save_interval_seconds": 0.0, "max_steps": 60}
    changes = {
        "labels": {"shard_size": 8},
        "teacher": {"training": training},
        "student": {"training": training},
    }
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, **changes))
    moments = random.Random(seed)
    cuts = 0
    for _ in range(15):
        if not killed(config, moments.uniform(0.5, 2.0)):
            break
        cuts += 1
    assert cuts > 2
    check_end(config, tmp_path / "run")
    whole = toy.write_config(
        tmp_path / "whole.yaml", toy.run_config(tmp_path, run_dir=str(tmp_path / "whole"), **changes)
    )
    assert commands.distilmt("run", whole, "--quiet").returncode == 0
    for name in ("teacher", "student", "baseline"):
        model = f"{name}/model.safetensors"
        assert (tmp_path / "run" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes(), name


@pytest.mark.parametrize("step", RUN_STEPS)
def test_a_step_killed_before_its_record_is_done_again(finished_run, tmp_path, step):
    """As if killed just before `step.json` was written: the step, and nothing before it, is done again."""
    config = copied(finished_run, tmp_path, step)
    expected = runner.step_spec(step, config)
    started = {"fingerprint": expected.resume_fingerprint, "seconds": 1.0, "peak_rss_bytes": 1}
    (tmp_path / "run" / step / "step.started.json").write_text(json.dumps(started))
    again = runner.execute_step(step, config)
    # Only the report knows where it lies.
    assert again.fingerprint == read_step(finished_run / step).fingerprint or step == "report"
    names = {path.name for path in (tmp_path / "run" / step).iterdir()}
    assert names == {path.name for path in (finished_run / step).iterdir()}


def test_a_step_without_any_record_is_refused_and_left(finished_run, tmp_path):
    """Nothing shows that distilmt wrote it: it may be the user's own."""
    config = copied(finished_run, tmp_path, "student")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="student contains files that distilmt did not write"):
        runner.execute_step("student", config)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
