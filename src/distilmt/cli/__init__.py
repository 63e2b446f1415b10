"""The command line. Only this package writes to the terminal.

Heavy modules are imported inside functions, so that help and errors appear at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from distilmt.cli import errors
from distilmt.cli.interrupts import STOPPED, interruptible, leave
from distilmt.cli.output import hide_progress
from distilmt.cli.process import prepare
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import rank, world_size

HELP = """distilmt distills a large translation model into a small, fast one, and measures the loss of quality.

Usage: distilmt COMMAND [OPTIONS]          (details: distilmt COMMAND --help)

  demo            distill a translator from real text within a time limit
  run             run all steps of a configuration: distilmt run CONFIG.yaml [--KEY VALUE ...]
  compare         compare methods on the same labels: distilmt compare CONFIG.yaml [--KEY VALUE ...]

  prepare         … up to the corpus
  train-teacher   … up to the teacher
  label           … up to the labels; on many machines with --executor ray --ray_address HOST:PORT
  train-student   … up to the student (and its baseline)
  export          … up to the exported models
  evaluate        … up to the report (like run); --health shows failures in the challenge sets

  cost            predict the cost of a run, or report it: distilmt cost CONFIG.yaml|RUN_DIR [--calibrate]

  plan            decide how much text to label: distilmt plan CONFIG.yaml [--minutes 20] [--KEY VALUE ...]

  compress        make the student of a run smaller: distilmt compress RUN_DIR --max-drop 0.5 --metric bleu

  translate       translate standard input or documents with a finished run: distilmt translate RUN_DIR [FILE ...]
  serve           serve LibreTranslate's API and a web page: distilmt serve RUN_OR_MODEL_DIR…
  labels          check, describe, merge, split label stores: distilmt labels check DIR

Options of every command: --quiet (no progress), --json (results as JSON on standard output).
"""

# The last step of each command that runs the pipeline.
_UNTIL = {
    "run": "report",
    "prepare": "corpus",
    "train-teacher": "teacher",
    "label": "labels",
    "train-student": "baseline",
    "export": "exports",
    "evaluate": "report",
}
_TRAINING = [name for name in _UNTIL if name != "prepare"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status (2: an error that the user can fix)."""
    own_process = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if arguments[0] in ("-V", "--version"):
        from distilmt import __version__

        print(f"distilmt {__version__}")
        return 0
    prepare()
    interrupts = None
    try:
        with interruptible() as interrupts:
            return _command(arguments[0], arguments[1:])
    except UserError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader closed the pipe (`| head`): this is no error, and the flush at exit must not raise one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        status = interrupts.status if interrupts else 130
        if own_process:
            leave(status)
        return status
    except Exception as error:
        message = errors.message(error)
        if message is None:
            raise
        return _fail(message)
    finally:
        hide_progress()


def _fail(message: str) -> int:
    print(f"distilmt: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _command(name: str, arguments: list[str]) -> int:
    from distilmt.cli import models, runs, translate

    commands: dict[str, Callable[[list[str]], int]] = {
        "demo": runs.demo,
        "compare": runs.compare,
        "cost": runs.cost,
        "plan": runs.plan,
        "compress": models.compress,
        "translate": translate.translate,
        "serve": models.serve,
        "labels": models.labels,
    }
    if world_size() > 1:
        return _run_distributed(name, arguments)
    if name in _UNTIL:
        return runs.run(arguments, name, _UNTIL[name])
    if name in commands:
        return commands[name](arguments)
    from distilmt.config.fields import suggestion

    raise UserError(f"unknown command {name!r}{suggestion(name, [*commands, *_UNTIL])}; see `distilmt --help`")


def _run_distributed(name: str, arguments: list[str]) -> int:
    """Run a command under torchrun: rank 0 runs the pipeline; the other ranks only train."""
    if name not in _TRAINING:
        alone = (
            f"{name!r} is for one process, but torchrun started {world_size()}: start it without torchrun (together "
        )
        return 2 if rank() else _fail(f"{alone}processes do {', '.join(_TRAINING)})")
    from distilmt.cli import runs
    from distilmt.training import distributed as training
    from distilmt.training.trainer import train_worker

    if rank():
        return training.worker_loop(train_worker)
    with training.main_process():
        return runs.run(arguments, name, _UNTIL[name])
