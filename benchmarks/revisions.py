"""Two revisions of distilmt, the same run with each: seconds of every step, paired, and whether the weights are equal.

    python benchmarks/revisions.py BEFORE/src BEFORE.yaml AFTER/src AFTER.yaml [--rounds 5] [--output FILE.md]

The configurations name the same corpus and the same run, each with the keys of its revision. Every turn is a whole run
in an empty directory, on one thread; the revisions take turns, in alternating order against drift of the machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from turns import middle

from distilmt.utils.machine_info import machine

STEPS = ("teacher", "labels", "student", "baseline", "export", "evaluation")
WEIGHTS = ("teacher/model.safetensors", "student/model.safetensors", "baseline/model.safetensors")


@dataclass(frozen=True)
class Revision:
    """A source tree and the run's configuration in its keys."""

    name: str
    source: Path
    config: Path


@dataclass(frozen=True)
class Turn:
    """One run: seconds of each step, and the hash of each model."""

    seconds: dict[str, float]
    hashes: dict[str, str]


def run(revision: Revision) -> Turn:
    """One run of a revision in a new process."""
    environment = os.environ | {"PYTHONPATH": str(revision.source.resolve()), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        command = [sys.executable, "-m", "distilmt", "run", str(revision.config.resolve()), "--run_dir", str(root)]
        process = subprocess.run(
            command, env=environment, cwd=revision.config.parent, capture_output=True, text=True, check=False
        )
        if process.returncode:
            sys.exit(f"{revision.name} failed:\n{process.stderr[-2000:]}")
        records = {path.parent.name: json.loads(path.read_text()) for path in root.rglob("step.json")}
        seconds = {step: float(records[step]["seconds"]) for step in STEPS if step in records}
        hashes = {name: hashlib.sha256((root / name).read_bytes()).hexdigest()[:16] for name in WEIGHTS}
    print(f"{revision.name}: {seconds}", file=sys.stderr, flush=True)
    return Turn(seconds, hashes)


def turns(before: Revision, after: Revision, rounds: int) -> tuple[list[Turn], list[Turn]]:
    """Both revisions once per round."""
    results: dict[str, list[Turn]] = {before.name: [], after.name: []}
    for number in range(rounds):
        for revision in (before, after) if number % 2 == 0 else (after, before):
            results[revision.name].append(run(revision))
    return results[before.name], results[after.name]


def report(before: list[Turn], after: list[Turn]) -> str:
    """The table in Markdown."""
    lines = ["| step | seconds before | seconds after | after / before, paired |", "| --- | --- | --- | --- |"]
    for step in before[0].seconds:
        pairs = [(one.seconds[step], two.seconds[step]) for one, two in zip(before, after, strict=True)]
        old, new = [one for one, _ in pairs], [two for _, two in pairs]
        ratios = [two / one for one, two in pairs]
        lines.append(f"| {step} | {middle(old, 1)} | {middle(new, 1)} | {middle(ratios, 2)} |")
    totals = [sum(two.seconds.values()) / sum(one.seconds.values()) for one, two in zip(before, after, strict=True)]
    equal = all(one.hashes == two.hashes for one, two in zip(before, after, strict=True))
    weights = "The weights of all models are equal, bit for bit." if equal else "The weights differ."
    total = f"All steps: {statistics.median(totals):.2f} ({min(totals):.2f} … {max(totals):.2f})."
    return "\n".join([*lines, "", f"{total} {weights}"])


def main() -> None:
    """Run the turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("before_source", "before_config", "after_source", "after_config"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    before = Revision("before", options.before_source, options.before_config)
    after = Revision("after", options.after_source, options.after_config)
    table = report(*turns(before, after, options.rounds))
    facts = machine()
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    turns_text = f"{options.rounds} rounds, median (lowest … highest)"
    provenance = f"{facts['cpu']}, {cores}, {date.today()}; {turns_text}"
    text = f"# Two revisions, the same run\n\n{provenance}\n\n{table}\n"
    if options.output:
        options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
