"""A program as teacher: it reads lines and writes a translation of each, in order (`apertium -u eng-spa`)."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distilmt.errors import UserError
from distilmt.machine import cores

_WAIT, _PER_LINE = 120.0, 10.0


class Command:
    """A program that is started for every batch of lines, on all cores side by side."""

    batch = 1000

    def __init__(self, facts: dict[str, Any]) -> None:
        """Take the command line from `command`; it is split as a shell would, and no shell runs it."""
        self.name = str(facts["command"])
        try:
            self.words = shlex.split(self.name)
        except ValueError as error:
            raise UserError(f"teacher.command {self.name!r} cannot be read ({error}): close its quotes") from None

    def ask(
        self, batches: Iterable[list[str]], count: int, sampling: float
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """One translation of each text, whatever `count` is.

        Raises:
            UserError: the program is missing, fails, or does not end.
        """
        wanted = list(batches)
        with ThreadPoolExecutor(cores()) as pool:
            try:
                yield from zip(wanted, pool.map(self._lines, wanted), strict=True)
            finally:
                pool.shutdown(cancel_futures=True)

    def spent(self) -> dict[str, float]:
        """Nothing is counted."""
        return {}

    def _lines(self, lines: list[str]) -> list[list[str]]:
        """A line for each; where there are more or fewer, halves are asked until it is clear which line did it."""
        said = self._run(lines)
        if len(said) == len(lines):
            return [[line.strip()] for line in said]
        if len(lines) == 1:
            return [[" ".join(line.strip() for line in said if line.strip())]]
        middle = len(lines) // 2
        return self._lines(lines[:middle]) + self._lines(lines[middle:])

    def _run(self, lines: list[str]) -> list[str]:
        text = "".join(f"{line}\n" for line in lines).encode()
        seconds = _WAIT + _PER_LINE * len(lines)
        try:
            done = subprocess.run(self.words, input=text, capture_output=True, timeout=seconds, check=False)
        except (FileNotFoundError, PermissionError):
            raise UserError(
                f"teacher.command: {self.words[0]!r} is no program here: install it, or check PATH"
            ) from None
        except subprocess.TimeoutExpired:
            raise UserError(
                f"teacher.command {self.name!r} did not end in {seconds:.0f} s: does it read to the end?"
            ) from None
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(
                f"teacher.command {self.name!r} failed with status {done.returncode} ({told[-1][:200]}): try it by hand"
            )
        return done.stdout.decode(errors="replace").removesuffix("\n").split("\n")
