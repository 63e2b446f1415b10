"""The command line. Nowhere else is printed to people.

Heavy modules are imported inside functions, so that help and mistakes are told at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from distilmt.cli import errors
from distilmt.cli.interrupts import STOPPED, interruptible, leave
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import rank, world_size

HELP = """distilmt turns a big translation model into a small fast one, and tells what was lost.

Usage: distilmt COMMAND [OPTIONS]          (distilmt COMMAND --help tells more)

  demo            distil a translator from real text, with one dial for time
  run             do everything a configuration says: distilmt run CONFIG.yaml [--KEY VALUE ...]
  compare         methods side by side on the same labels: distilmt compare CONFIG.yaml [--KEY VALUE ...]

  prepare         … up to the corpus
  train-teacher   … up to the teacher
  label           … up to the labels; on many machines with --executor ray --ray_address HOST:PORT
  train-student   … up to the student (and its baseline)
  export          … up to the exported models
  evaluate        … up to the report (like run); --health shows what student and teacher stumble over

  cost            what a run will cost: distilmt cost CONFIG.yaml [--calibrate] [--KEY VALUE ...]; or did: RUN_DIR

  plan            how much text is worth labelling: distilmt plan CONFIG.yaml [--minutes 20] [--KEY VALUE ...]

  compress        make the student of a run smaller still: distilmt compress RUN_DIR --max-drop 0.5 --metric bleu

  translate       translate standard input or documents with a finished run: distilmt translate RUN_DIR [FILE ...]
  serve           LibreTranslate's API and a page for people: distilmt serve RUN_OR_MODEL_DIR…
  labels          check, describe, merge, split label stores: distilmt labels check DIR

Options of every command: --quiet (no progress), --json (results as JSON on standard output).
"""

# The last step of each command that goes on with a run.
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
    """Run a command; returns its exit status (2: something the user can mend)."""
    own_process = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if arguments[0] in ("-V", "--version"):
        from distilmt import __version__

        print(f"distilmt {__version__}")
        return 0
    interrupts = None
    try:
        with interruptible() as interrupts:
            return _command(arguments[0], arguments[1:])
    except UserError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever read our output has had enough (`| head`): not an error, nor may flushing at the end make it one.
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
    """What one of several processes does that torchrun started: the first all there is to do, the others help train."""
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
