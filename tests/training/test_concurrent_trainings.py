"""The command line under torchrun: what it trains, what it refuses, and what becomes of it when a process is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors
from helpers import commands, toy

from distilmt.training.checkpoint_files import CHECKPOINT

pytestmark = pytest.mark.usefixtures("no_gpu")


def launched(*arguments, processes=2, restarts=0):
    """Start the command line as torchrun does."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    launcher += [f"--max-restarts={restarts}", "-m", "distilmt", *map(str, arguments)]
    return subprocess.Popen([sys.executable, *launcher], env=commands.environment(), stderr=subprocess.PIPE)


def ended(running, status=0):
    message = running.communicate(timeout=240)[1].decode()
    assert (running.returncode == 0) == (status == 0), message[-4000:]
    return message


def road(directory, **training):
    same = {"dropout": 0.0, "threads": 1, "save_interval_seconds": 0.0, "max_seconds": None, **training}
    changes = {"teacher": {"training": {**same, "max_steps": 60}}, "student": {"training": same, "baseline": False}}
    return toy.write_config(directory / "run.yaml", toy.run_config(directory, **changes))


def update(run):
    """Where the teacher's training stands, by its checkpoint."""
    try:
        with safetensors.safe_open(run / "teacher" / CHECKPOINT, "np") as file:
            return json.loads(file.metadata()["state"])["update"]
    except FileNotFoundError:
        return 0


def killed_at(running, run, expected, who, how=signal.SIGKILL):
    """Send a signal to a process of torchrun's, -1 for itself, as soon as the teacher has had so many updates."""
    end = time.monotonic() + 120
    while update(run) < expected and time.monotonic() < end and running.poll() is None:
        time.sleep(0.005)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    ranks = {int(_environment(pid)["RANK"]): int(pid) for pid in children if "RANK" in _environment(pid)}
    os.kill(running.pid if who < 0 else ranks[who], how)
    return list(ranks.values())


def _environment(pid):
    actual = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in actual if "=" in line)


def curve(run, model="teacher"):
    return [(line["update"], line["train_loss"]) for line in json.loads((run / model / "log.json").read_text())]


def same_curves(run, other, *stood):
    """The curves are the same, but for the teacher's means that an interruption at such an update cut short."""
    for model in ("teacher", "student"):
        a, b = curve(run, model), curve(other, model)
        assert [x for x, _ in a] == [x for x, _ in b]
        cut = [next(x for x, _ in a if x > update) for update in stood if model == "teacher"]
        assert [y for x, y in a if x not in cut] == pytest.approx([y for x, y in b if x not in cut], rel=1e-4)


@pytest.fixture(scope="module")
def straight(no_gpu, tmp_path_factory):
    """The run directory of one process that nobody disturbed."""
    directory = tmp_path_factory.mktemp("straight")
    process = commands.distilmt("train-student", road(directory), "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    return directory / "run"


@pytest.mark.slow
def test_torchrun_trains_as_one_process_does(tmp_path, straight):
    message = ended(launched("train-student", road(tmp_path)))
    same_curves(tmp_path / "run", straight)
    lines = [line for line in message.splitlines() if "teacher: update" in line]
    assert len(lines) == 4, message  # only one of them talks
    assert not [path for path in (tmp_path / "run").rglob(".*") if path.name != ".lock"]
    assert json.loads((tmp_path / "run" / "student" / "step.json").read_text())["result"]["processes"] == 2
    # Nothing is left to do, whoever comes.
    assert "already done" in ended(launched("train-student", tmp_path / "run.yaml", processes=3))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 3)])
def test_goes_on_with_another_number_of_processes(tmp_path, straight, before, after):
    config, run = road(tmp_path), tmp_path / "run"
    first = launched("train-student", config, "--quiet", processes=before)
    pids = killed_at(first, run, 25, 0)
    ended(first, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    stood = update(run)
    assert 25 <= stood < 60
    ended(launched("train-student", config, "--quiet", processes=after))
    same_curves(run, straight, stood)


@pytest.mark.slow
def test_nobody_waits_for_the_dead(tmp_path, straight):
    """A helper is killed: the leader, which gets no message, ends too, and its error names the remedy."""
    config, run = road(tmp_path), tmp_path / "run"
    running = launched("train-student", config)
    pids = killed_at(running, run, 25, 1)
    ended(running, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    # torchrun can also start them all again, which then go on.
    stood = update(run)
    again = launched("train-student", config, restarts=1)
    killed_at(again, run, 35, 1)
    message = ended(again)
    on = [int(line.split()[-1]) for line in message.splitlines() if "resuming from update" in line]
    assert len(on) == 2 and on[0] == stood, message
    same_curves(run, straight, *on)


@pytest.mark.slow
def test_termination_ends_all(tmp_path):
    running = launched("train-student", road(tmp_path))
    pids = killed_at(running, tmp_path / "run", 10, -1, signal.SIGTERM)
    ended(running, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not [path for path in (tmp_path / "run").rglob(".*.tmp") if path.is_file()]


@pytest.mark.slow
def test_seconds_are_the_leaders(tmp_path):
    """Time runs out before the updates do; all processes stop at the same one."""
    config = road(tmp_path, max_seconds=1.0)
    ended(launched("train-teacher", config, "--teacher.training.max_steps", "100000", "--quiet"))
    result = json.loads((tmp_path / "run" / "teacher" / "step.json").read_text())["result"]
    assert result["updates"] < 100_000 and 0.9 < result["train_seconds"] < 20


def output(*arguments, **settings):
    """The one line of distilmt in standard error; torchrun itself writes more."""
    message = ended(launched(*arguments, **settings), 2)
    lines = [line for line in message.splitlines() if line.startswith("distilmt: error: ")]
    assert len(lines) == 1 and "exitcode  : 2" in message, message
    return lines[0]


@pytest.mark.slow
def test_what_several_processes_cannot_do_is_reported(tmp_path):
    assert "'translate' is for one process" in output("translate", tmp_path)
    assert "'compare' is for one process" in output("compare", "x.yaml")
    assert "unknown key" in output("train-teacher", toy.write_config(tmp_path / "bad.yaml", {"teecher": 1}))
    message = output("train-teacher", road(tmp_path), "--teacher.training.batch_tokens", "4", "--quiet", processes=3)
    assert "sentences, too few for 3 processes" in message
