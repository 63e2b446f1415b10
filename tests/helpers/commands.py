"""The command line, each command in a process of its own; and what such a process ended with."""

from __future__ import annotations

import subprocess
import sys

from helpers.processes import Process, offline_environment

Completed = subprocess.CompletedProcess[bytes]


def distilmt(*arguments: object, input: bytes = b"", file_bytes: int = 0) -> Completed:
    """Run `distilmt` in a process whose imports are done already; see `helpers.processes`."""
    return Process(*arguments, module="distilmt", input=input, file_bytes=file_bytes).completed()


def fresh_distilmt(*arguments: object, input: bytes = b"") -> Completed:
    """Run `distilmt` in a process that starts from nothing."""
    command = [sys.executable, "-m", "distilmt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, input=input, timeout=240, env=environment(), check=False)


def python(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=240, env=environment, check=False
    )


def environment() -> dict[str, str]:
    """A process's environment without network, on one thread."""
    return offline_environment()


def error_line(process: Completed) -> str:
    """The one line of a command that ended with an error of its user; fails if it ended in another way."""
    message = process.stderr.decode()
    assert process.returncode == 2, message[-2000:]
    assert message.startswith("distilmt: error: ") and message.count("\n") == 1, message[-2000:]
    return message
