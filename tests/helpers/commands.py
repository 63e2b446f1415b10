"""The command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]


def distilmt(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "distilmt", *map(str, arguments)],
        capture_output=True,
        timeout=240,
        env=environment(),
        check=False,
        **settings,
    )


def environment() -> dict[str, str]:
    """A process's environment without network, on one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def error_line(process: subprocess.CompletedProcess[bytes]) -> str:
    """The one line of a command that ended with an error of its user; fails if it ended in another way."""
    message = process.stderr.decode()
    assert process.returncode == 2, message[-2000:]
    assert message.startswith("distilmt: error: ") and message.count("\n") == 1, message[-2000:]
    return message


def helpers_environment() -> dict[str, str]:
    """The same for a program that imports these helpers."""
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment() | {"PYTHONPATH": os.pathsep.join(paths)}
