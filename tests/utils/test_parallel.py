"""Work in processes side by side: all of it is done, errors come through, and nothing is left running."""

import multiprocessing
import os
import signal
import time
from contextlib import closing

import pytest

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.parallel import run_in_processes


def report_cores(path):
    path.write_text(f"{os.getpid()} {cores()} {os.environ['OMP_NUM_THREADS']}")


def refuse(path):
    raise UserError(f"{path.name} is refused")


def fail(path):
    raise ValueError(f"no such number: {path.name}")


def run_out_of_memory(path):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_and_clean_up(path):
    path.write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        path.with_suffix(".clean").write_text("")


@pytest.mark.usefixtures("two_cores")
def test_every_item_has_a_process_on_its_share_of_the_cores(tmp_path):
    paths = [tmp_path / str(number) for number in range(3)]
    assert sorted(run_in_processes(report_cores, paths, jobs=2)) == paths
    message = [path.read_text().split() for path in paths]
    assert len({process for process, _, _ in message} | {str(os.getpid())}) == 4
    assert all(int(own) == int(threads) in (cores() // 2, cores() - cores() // 2) for _, own, threads in message)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (refuse, UserError, "^one is refused$"),
        (fail, RuntimeError, "ValueError: no such number: one"),
        (run_out_of_memory, RuntimeError, "status -9"),
    ],
)
def test_errors_come_through(tmp_path, work, error, message):
    with pytest.raises(error, match=message):
        list(run_in_processes(work, [tmp_path / "one"], jobs=1))


@pytest.mark.usefixtures("two_cores")
def test_what_is_under_way_is_ended_with_the_iterator(tmp_path):
    quick, slow = tmp_path / "quick", tmp_path / "slow"
    with closing(run_in_processes(refuse_once_the_other_runs, [slow, quick], jobs=2)) as done, pytest.raises(UserError):
        next(done)
    assert slow.with_suffix(".clean").exists() and not multiprocessing.active_children()


def refuse_once_the_other_runs(path):
    if path.name == "slow":
        wait_and_clean_up(path)
    while not path.with_name("slow").exists():
        time.sleep(0.05)
    refuse(path)
