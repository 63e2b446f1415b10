import logging
import subprocess
import sys

from helpers import commands

from distilmt.utils import progress


class Recorder:
    """A listener that records its calls."""

    def __init__(self):
        self.calls = []

    def start(self, name, total, unit, done):
        self.calls.append(("start", name, total, unit, done))
        return self

    def advance(self, amount=1, **status):
        self.calls.append(("advance", amount, status))

    def finish(self, task):
        self.calls.append(("finish", task is self))


def test_a_listener_sees_a_task_and_none_is_no_error():
    recorder = Recorder()
    progress.set_listener(recorder)
    try:
        with progress.task("count", 3, "rows", 1) as task:
            task.advance(2, loss=1.5)
            progress.set_listener(None)
    finally:
        progress.set_listener(None)
    with progress.task("nobody", None) as task:
        task.advance()
    expected = [("start", "count", 3, "rows", 1), ("advance", 2, {"loss": 1.5}), ("finish", True)]
    assert recorder.calls == expected, "a task ends at the listener that it started at"


_PROGRAM = """
import logging, os, signal, sys
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
import distilmt, distilmt.cli, distilmt.pipeline.runner, distilmt.pipeline.steps, distilmt.serving.server
from transformers.utils import logging as transformers_logging
assert "THP_MEM_ALLOC_ENABLE" not in os.environ and "TRANSFORMERS_VERBOSITY" not in os.environ
assert transformers_logging.is_progress_bar_enabled() and transformers_logging.get_verbosity() == logging.WARNING
assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
assert logging.getLogger().handlers == [] and logging.getLogger("distilmt").level == logging.NOTSET
logger = logging.getLogger("distilmt.labels.dataset")
logger.warning("nobody routes this")
logging.basicConfig(stream=sys.stdout, format="%(name)s %(levelname)s %(message)s")
logger.warning("the program routes this")
logging.getLogger("distilmt").setLevel(logging.ERROR)
logger.warning("the program silences this")
"""


def test_an_import_changes_nothing_in_its_program_which_routes_the_messages():
    environment = {
        name: value for name, value in commands.environment().items() if name not in _SET_BY_THE_COMMAND_LINE
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "distilmt.labels.dataset WARNING the program routes this\n" and done.stderr == ""


_SET_BY_THE_COMMAND_LINE = ("THP_MEM_ALLOC_ENABLE", "TRANSFORMERS_VERBOSITY", "HF_HUB_DISABLE_PROGRESS_BARS")


def test_the_fixture_of_messages_collects_what_is_logged(messages):
    logging.getLogger("distilmt.x").info("100 % of it")
    logging.getLogger("other").warning("not ours")
    assert messages == ["100 % of it"]
