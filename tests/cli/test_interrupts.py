"""Ctrl-C and SIGTERM, sent to real processes."""

import re
import signal
import subprocess
import sys
import time

import pytest
from helpers import commands

from distilmt.cli.command import COMMANDS, load

# Each runs a command of the command line whose work is one of the places where a signal is easily lost.
PLACES = {
    "python": "while True: time.sleep(0.01)",
    "callback": """
class Bad:
    def __del__(self):
        for _ in range(100): time.sleep(0.01)
Bad()
while True: time.sleep(0.01)
""",
    # A lock that the thread itself holds: the call returns for no signal.
    "library": """
library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
while True: library.pthread_mutex_lock(lock)
""",
}
PROGRAM = """
import ctypes, sys, time, types
from distilmt import cli
from distilmt.cli import interrupts
from distilmt.cli.command import COMMANDS, Command, Entry
def work(arguments, output):
    try:
        interrupts.GRACE_SECONDS = 0.5
        print("begun", flush=True)
        exec(place)
    finally:
        print("cleaned", flush=True)
place = sys.argv.pop(1)
resumes = bool(int(sys.argv.pop(1)))
command = Command("wait", "Waits.", {}, (), (), work, needs_arguments=False, resumes=lambda _: resumes)
sys.modules["distilmt.cli.wait"] = types.SimpleNamespace(COMMANDS={"wait": command})
COMMANDS["wait"] = Entry("wait", "wait")
sys.exit(cli.main())
"""


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=commands.environment(),
        # Tests that run in the background of a shell ignore SIGINT, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def stopped(place: str, number: int, again: int | None = None, resumes: bool = True) -> tuple[int, str, str]:
    command = [sys.executable, "-c", PROGRAM, PLACES[place], str(int(resumes)), "wait"]
    with started(command) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(number)
        if again:
            time.sleep(0.2)
            process.send_signal(again)
        try:
            out, err = process.communicate(timeout=50)
        finally:
            process.kill()
        return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["python", "callback"])
def test_a_signal_unwinds_even_where_python_ignores_exceptions(place, number):
    status, out, err = stopped(place, number)
    assert (status, out) == (128 + number, "cleaned\n")
    assert err == "\nInterrupted. Run the same command again to resume.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_process_that_is_inside_a_library(number):
    status, _, err = stopped("library", number)
    assert (status, err) == (128 + number, "\nInterrupted. Run the same command again to resume.\n")


def test_a_second_signal_ends_it_at_once():
    status, _, err = stopped("callback", signal.SIGINT, signal.SIGINT)
    assert status == 130 and err.count("Interrupted") == 1


def test_only_commands_that_resume_print_that_remedy():
    status, _, err = stopped("python", signal.SIGINT, resumes=False)
    assert (status, err) == (130, "\nInterrupted.\n")
    no_resume = {"cost", "translate", "serve", "publish", "labels", "completion"}
    assert {name for name in COMMANDS if not load(name).resumes(["x"])} == no_resume
    assert not load("demo").resumes(["--task=classify"])


# The first import of the command line is where the program waits; the handlers of the command line come after it.
EARLY = """
import builtins, runpy, sys, time
original = builtins.__import__
def slow(name, *more, **options):
    if name == "distilmt.cli":
        print("begun", flush=True)
        while True: time.sleep(0.01)
    return original(name, *more, **options)
builtins.__import__ = slow
runpy.run_module("distilmt", run_name="__main__", alter_sys=True)
"""


def test_a_signal_during_the_imports_ends_the_program_without_a_traceback():
    with started([sys.executable, "-c", EARLY]) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=50) == ("", "\nInterrupted.\n")
        assert process.returncode == 130


def test_the_programs_handler_comes_before_any_import_of_weight():
    """Only what Python itself has loaded, and what `signal` needs, is imported before it."""
    program = (
        "import os, signal, sys; before = {*sys.modules}; import distilmt.__main__; print({*sys.modules} - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(re.findall(r"'(.+?)'", done.stdout)) == {"distilmt", "distilmt.__main__"}


@pytest.fixture
def default_interrupt():
    """As in a shell's foreground."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_interrupt")
def test_handlers_are_put_back():
    from distilmt.cli.interrupts import Interrupts, interruptible

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), interruptible(Interrupts()):
        signal.raise_signal(signal.SIGINT)
        time.sleep(10)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
