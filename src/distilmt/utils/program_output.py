"""Run a program whose output has a bound in bytes and in seconds."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class ProgramOutput:
    """What a program wrote until it ended, or until a bound was reached."""

    stdout: bytes
    stderr: bytes
    returncode: int
    timed_out: bool
    too_long: bool
    """Whether it wrote more than the bound; `stdout` then is what it wrote up to there."""


def run_bounded(arguments: Sequence[str], text: bytes, seconds: float, most_bytes: int) -> ProgramOutput:
    """Run a program on a text; it is killed when a bound is reached.

    Args:
        arguments: the program and its arguments.
        text: its standard input.
        seconds: how long it may run.
        most_bytes: how much it may write to standard output.

    Raises:
        OSError: it cannot be started.
    """
    expired = threading.Event()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdin is not None and process.stdout is not None

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(seconds, expire)
        threading.Thread(target=_feed, args=(process.stdin, text), daemon=True).start()
        timer.start()
        try:
            stdout = process.stdout.read(most_bytes + 1)
            if len(stdout) <= most_bytes:
                process.wait()
        finally:
            timer.cancel()
            process.kill()
        returncode = process.wait()
        errors.seek(0)
        too_long = len(stdout) > most_bytes
        return ProgramOutput(stdout, errors.read(_ERROR_BYTES), returncode, expired.is_set(), too_long)


_ERROR_BYTES = 1 << 20


def _feed(stdin: IO[bytes], text: bytes) -> None:
    """Write the input while the output is read; a program may end before it has read everything."""
    with contextlib.suppress(OSError), stdin:
        stdin.write(text)
