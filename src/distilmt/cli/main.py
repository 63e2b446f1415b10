"""Entry point: the command, its help, and one line for every error that the user can fix."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from distilmt.cli import errors
from distilmt.cli.command import COMMANDS, Command, load
from distilmt.cli.interrupts import Interrupts, interruptible, leave
from distilmt.cli.output import discard_output, standard_output, take_flags
from distilmt.cli.overview import overview
from distilmt.cli.process import prepare
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import rank, world_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status (2: an error that the user can fix)."""
    own_process = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    interrupts = Interrupts()
    try:
        if text := _about(arguments):
            return _show(text)
        prepare()
        with interruptible(interrupts):
            return _command(arguments[0], arguments[1:], interrupts)
    except UserError as error:
        return _fail(str(error))
    except BrokenPipeError:
        discard_output()  # the reader closed the pipe (`| head`): this is no error
        return 0
    except KeyboardInterrupt:
        print(interrupts.message, file=sys.stderr)
        if own_process:
            leave(interrupts.status)
        return interrupts.status
    except Exception as error:
        message = errors.message(error, interrupts.resumes)
        if message is None:
            raise
        return _fail(message)


def _about(arguments: Sequence[str]) -> str:
    """The text for arguments without a command; empty if there is one."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return overview()
    if arguments[0] in ("-V", "--version"):
        from distilmt import __version__

        return f"distilmt {__version__}"
    return ""


def _show(text: str) -> int:
    with standard_output():
        print(text)
    return 0


def _fail(message: str) -> int:
    print(f"distilmt: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _command(name: str, arguments: list[str], interrupts: Interrupts) -> int:
    if name not in COMMANDS:
        from distilmt.config.fields import suggestion

        raise UserError(f"unknown command {name!r}{suggestion(name, list(COMMANDS))}; see `distilmt --help`")
    command = load(name)
    interrupts.resumes = command.resumes(arguments)
    if world_size() > 1:
        return _run_distributed(command, arguments)
    if {"-h", "--help"} & set(arguments):
        from distilmt.cli.help import help_text

        return _show(help_text(command))
    if command.needs_arguments and not arguments:
        raise UserError(f"{name} needs arguments: see `distilmt {name} --help`")
    return command.run(*take_flags(arguments, command.flags))


def _run_distributed(command: Command, arguments: list[str]) -> int:
    """Run a command under torchrun: rank 0 runs the pipeline; the other ranks only train."""
    from distilmt.cli.run import TRAINING

    if command.name not in TRAINING:
        alone = f"{command.name!r} is for one process, but torchrun started {world_size()}: start it without torchrun"
        return 2 if rank() else _fail(f"{alone} (together processes do {', '.join(TRAINING)})")
    from distilmt.training import distributed as training
    from distilmt.training.trainer import train_worker

    if rank():
        return training.worker_loop(train_worker)
    with training.main_process():
        return command.run(*take_flags(arguments, command.flags))
