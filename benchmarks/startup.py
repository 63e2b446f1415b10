"""Seconds until `--help` of every command is printed, and until a small model has translated a sentence."""

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
    "serve",
    "compress",
    "labels",
    "plan",
    "cost",
]


SENTENCE = "A man in a blue shirt is standing on a ladder."


def seconds(arguments: list[str], text: str | None = None) -> float:
    program = Path(sys.executable).with_name("distilmt")
    begin = time.perf_counter()
    subprocess.run([program, *arguments], input=text, text=True, check=True, capture_output=True)
    return time.perf_counter() - begin


def main(rounds: int, command: str, model: str | None) -> None:
    requests: dict[str, tuple[list[str], str | None]] = {
        " ".join(["distilmt", *name.split(), "--help"]): ([*name.split(), "--help"], None) for name in COMMANDS
    }
    if model:
        requests["distilmt translate MODEL --text …"] = (["translate", model, "--text", SENTENCE], None)
        requests["… \\| distilmt translate MODEL"] = (["translate", model], f"{SENTENCE}\n")
    data: dict[str, list[float]] = {name: [] for name in requests}
    for _ in range(rounds):
        for name, (arguments, text) in requests.items():
            data[name].append(seconds(arguments, text))
    lines = ["| command | seconds, median | greatest |", "|---|---:|---:|"]
    lines += [f"| `{name}` | {statistics.median(v):.2f} | {max(v):.2f} |" for name, v in data.items()]
    write("startup", command, ["\n".join(lines)], data)
