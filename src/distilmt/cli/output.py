"""Flags that all commands share, and the output of results."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilmt.utils import progress
from distilmt.utils.errors import UserError

SHARED_FLAGS = {
    "--quiet": "Show neither progress nor results.",
    "--json": "Write results as JSON to standard output, without progress.",
    "--verbose": "Show also messages of other libraries, with the name of the logger.",
}
"""Flags of every command, and what they do."""


@contextmanager
def standard_output() -> Iterator[None]:
    """Write results within the block: errors of standard output, of which the system names no file, are named.

    Raises:
        UserError: it is closed, or cannot be written.
    """
    if sys.stdout is None:
        raise UserError("standard output is closed, so that results cannot be written: open it, or add --quiet")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        discard_output()
        raise UserError(
            f"standard output cannot be written ({error.strerror or error}): free space or write elsewhere, then run "
            "the same command again"
        ) from None


def discard_output() -> None:
    """Let what is still to be written vanish: the flush at exit must not raise the same error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass(frozen=True)
class Output:
    """What a command shows, and how."""

    flags: frozenset[str] = frozenset()
    """The shared flags that are given, and those of the command without a value."""

    @property
    def is_json(self) -> bool:
        """Whether results are JSON."""
        return "--json" in self.flags

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is shown."""
        return "--quiet" in self.flags and not self.is_json

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show log messages and progress in the terminal while the block runs, unless a flag disables it."""
        if self.flags & {"--quiet", "--json"}:
            yield
            return
        from distilmt.cli.terminal import Terminal

        verbose = "--verbose" in self.flags
        terminal, logger = Terminal(verbose), logging.getLogger(None if verbose else "distilmt")
        level = logger.level
        logger.addHandler(terminal)
        logger.setLevel(logging.INFO)
        progress.set_listener(terminal)
        try:
            yield
        finally:
            logger.removeHandler(terminal)
            logger.setLevel(level)
            progress.set_listener(None)

    def table(self, path: Path) -> None:
        """Print a stored table, as Markdown or as JSON."""
        if not self.is_quiet:
            with standard_output():
                print(path.with_suffix(".json" if self.is_json else ".md").read_text(encoding="utf-8"), end="")

    def result(self, record: Mapping[str, Any], text: str) -> None:
        """Print a result, as JSON or as text, which ends with a line end or not."""
        if not self.is_quiet:
            shown = json.dumps(record, ensure_ascii=False) if self.is_json else text
            with standard_output():
                print(shown, end="" if shown.endswith("\n") else "\n")

    def last_step(self, root: Path, step: str) -> None:
        """Print the last finished step of a run that has no report yet."""
        text = f"{root}: done up to {step}; `distilmt run` continues up to the report"
        self.result({"run_dir": str(root), "done": step}, text)

    def report(self, root: Path) -> None:
        """Print the results of a run, if it has a report."""
        path = root / "report.json"
        if not path.exists():
            return
        if self.is_quiet:
            return
        report = json.loads(path.read_text(encoding="utf-8"))
        if self.is_json:
            with standard_output():
                print(json.dumps(report, ensure_ascii=False))
            return
        from distilmt.cli.terminal import show_challenges, show_report
        from distilmt.report.schema import complete

        whole = complete(report)
        with standard_output():
            show_report(whole, root)
            if "--health" in self.flags:
                show_challenges(whole)


def take_flags(arguments: Sequence[str], flags: Mapping[str, str]) -> tuple[list[str], Output]:
    """The other arguments, and what the shared flags and those of the command choose.

    Args:
        arguments: as typed by the user.
        flags: the flags of the command that have no value.
    """
    given = frozenset(argument for argument in arguments if argument in SHARED_FLAGS or argument in flags)
    return [argument for argument in arguments if argument not in given], Output(given)
