"""Run a child process that opens model files, and turn any failure into one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from distilmt.inference.manifest import unpacked_size
from distilmt.utils.errors import UserError

_SLACK_BYTES = 1 << 30
_MEMORY_RATIO = 6  # one-byte weights become four bytes, and are copied once more during conversion
_SECONDS, _SECONDS_PER_GIB = 60, 60
_WAIT_RATIO = 5  # on a busy machine a second of CPU time takes several seconds
_REMEDY = "copy or download it again, and use it only if you trust its source"
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def run_child(directory: Path, shown: Path) -> None:
    """Open every model file of a directory in a child process.

    Args:
        directory: directory of the files.
        shown: name of the model in messages.

    Raises:
        UserError: a file could not be opened within the limits.
    """
    size = unpacked_size(directory)
    seconds = _SECONDS + _SECONDS_PER_GIB * (size >> 30)
    memory = _SLACK_BYTES + _MEMORY_RATIO * size
    command = [sys.executable, "-m", "distilmt.inference.sandbox.child", str(directory), str(memory), str(seconds)]
    try:
        result = subprocess.run(
            command, capture_output=True, env=_environment(), timeout=_WAIT_RATIO * seconds, stdin=subprocess.DEVNULL
        )
        output, status = result.stdout, result.returncode
    except subprocess.TimeoutExpired as late:
        output, status = late.stdout or b"", -signal.SIGXCPU
    fault = fault_of(output.decode("utf-8", "replace").splitlines(), status, seconds, memory)
    if fault:
        raise UserError(f"{shown}: {fault}: {_REMEDY}")


def _environment() -> dict[str, str]:
    """Environment of the child: with its own limits, and with this process's module path."""
    return {**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def fault_of(lines: list[str], status: int, seconds: int, memory: int) -> str | None:
    """The error of a child, from its records (one JSON object per line: `file`, then maybe `fault`) and exit status."""
    records = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    last = records[-1] if records else {}
    name = last.get("file") or "a file"
    if "memory" in last:
        return f"{name} needs more than {memory >> 20} MiB of memory, too much for a file of its size"
    if "fault" in last:
        return f"{name} cannot be read ({last['fault']})"
    if status == 0 and last.get("done"):
        return None
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"{name} takes more than {seconds} s to read, too long for a file of its size"
    reason = signal.Signals(-status).name if -status in {s.value for s in signal.Signals} else f"status {status}"
    return f"{name} crashes the library that reads it ({reason})"
