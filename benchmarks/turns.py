"""Arms that take turns, in new processes of an environment with the compared libraries; their figures as a table."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from arms.common import Spec

from distilmt.utils.machine_info import machine

HERE = Path(__file__).parent
PEERS = ["accelerate>=1.2", "pymarian>=1.12.42"]
Results = dict[str, list[dict[str, float]]]


@dataclass
class Arm:
    """A program of `arms/` with its settings."""

    name: str
    program: str
    spec: Spec


def environment() -> Path:
    """The Python of an environment with the compared libraries: this one, or one created on the first call."""
    if importlib.util.find_spec("accelerate"):
        return Path(sys.executable)
    place = HERE / ".peers"
    python, stamp = place / "bin" / "python", place / ".installed"
    if not stamp.exists():
        print("installing the peers into benchmarks/.peers", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        constraints, project = HERE.parent / "constraints.txt", HERE.parent
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints]
        subprocess.run([*pip, "-e", project, *PEERS], check=True)
        stamp.touch()
    return python


def run(arm: Arm) -> dict[str, float]:
    """One turn of an arm."""
    command = [environment(), HERE / "arms" / f"{arm.program}.py", json.dumps(asdict(arm.spec))]
    quiet = os.environ | {"TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    if done.returncode:
        sys.exit(f"{arm.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    result = json.loads(done.stdout.strip().split("\n")[-1])
    print(f"{arm.name}: {result}", file=sys.stderr, flush=True)
    return result


def turns(arms: list[Arm], rounds: int) -> Results:
    """Every arm once per round, in alternating order against drift of the machine. The round is the seed."""
    result: Results = {arm.name: [] for arm in arms}
    for number in range(rounds):
        for arm in arms if number % 2 == 0 else arms[::-1]:
            result[arm.name].append(run(replace(arm, spec=replace(arm.spec, seed=number + 1))))
    return result


def paired(results: Results, key: str, first: str, second: str) -> list[float]:
    """First divided by second, round by round."""
    return [a[key] / b[key] for a, b in zip(results[first], results[second], strict=True)]


def middle(values: list[float], digits: int = 0) -> str:
    """The median and, in brackets, minimum and maximum."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} … {max(values):,.{digits}f})"


def table(results: Results, keys: dict[str, tuple[str, float, int]], base: str, ratio: str) -> str:
    """A row for every arm: each key as `title: (key, factor, digits)`, and the ratio to the base, paired by rounds."""
    heads = ["arm", *keys, f"ratio to {base}"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, rounds in results.items():
        cells = [middle([r[key] * factor for r in rounds], digits) for key, factor, digits in keys.values()]
        cells.append(middle(paired(results, ratio, name, base), 2))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(name: str, command: str, parts: list[str], data: dict[str, Any]) -> None:
    """`results/NAME.md` for readers, `results/NAME.json` with every single figure; `NAME-gpu` if there is a GPU."""
    name += "-gpu" if machine()["gpu"] else ""
    head = f"# {name}\n\n`{command}`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {json.dumps(machine())}"
    text = "\n\n".join([head, *parts]) + "\n"
    (HERE / "results" / f"{name}.md").write_text(text, encoding="utf-8")
    whole = {"command": command, "machine": machine(), **data}
    (HERE / "results" / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(text)
