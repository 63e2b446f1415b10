"""Seconds until `--help` of every command stands on the screen."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from turns import write

COMMANDS = [
    "",
    "demo",
    "run",
    "prepare",
    "train-teacher",
    "label",
    "train-student",
    "export",
    "evaluate",
    "compare",
    "translate",
]


def seconds(command: str) -> float:
    program = Path(sys.executable).with_name("distilmt")
    begin = time.perf_counter()
    subprocess.run([program, *command.split(), "--help"], check=True, capture_output=True)
    return time.perf_counter() - begin


def main(rounds: int, command: str) -> None:
    data = {f"distilmt {name} --help".replace("  ", " "): [] for name in COMMANDS}
    for _ in range(rounds):
        for name, taken in zip(COMMANDS, data.values(), strict=True):
            taken.append(seconds(name))
    lines = ["| command | seconds, median | greatest |", "|---|---:|---:|"]
    lines += [f"| `{name}` | {statistics.median(v):.2f} | {max(v):.2f} |" for name, v in data.items()]
    write("startup", command, ["\n".join(lines)], data)
