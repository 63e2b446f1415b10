"""What more minutes bring: finished demos as a table.

    python benchmarks/demo_curve.py RUN_DIR … > benchmarks/results/demo-curve.md

Every run directory is that of a demo, such as `distilmt demo --minutes 15 --run_dir runs/demo-15`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from distilmt.utils.run_dir import read_json

HEAD = "| minutes | measured | updates | teacher | student | baseline | student − baseline | p | smaller | faster |"


def row(run: Path) -> str:
    """A demo's figures; the measured minutes are those of its steps, without the installation."""
    report = read_json(run / "report.json")
    systems = {system["name"]: system for system in report["systems"]}
    teacher, student, baseline = (systems[name] for name in ("teacher", "student-int8", "baseline-int8"))
    difference = next(c for c in report["comparisons"] if (c["b"], c["metric"]) == ("baseline-int8", "bleu"))
    low, high = difference["ci"]
    cells = [
        f"{minutes(run):g}",
        f"{sum(step['seconds'] for step in report['steps']) / 60:.1f}",
        f"{read_json(run / 'student' / 'step.json')['result']['updates']:,}",
        *(f"{system['bleu']:.2f}" for system in (teacher, student, baseline)),
        f"{difference['difference']:+.2f} ({low:+.2f} … {high:+.2f})",
        f"{difference['p_value']:.3f}",
        f"{teacher['file_bytes'] / student['file_bytes']:.1f}",
        f"{speed(student) / speed(teacher):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def minutes(run: Path) -> float:
    return float(read_json(run / "plan.json")["teacher"]["settings"]["minutes"])


def speed(system: dict[str, Any]) -> float:
    return float(system["sentences_per_second"]["batch_1"])


def main(runs: list[Path]) -> None:
    report = read_json(runs[0] / "report.json")
    print("# More minutes: the demo's curve\n")
    print(f"`python benchmarks/demo_curve.py {' '.join(map(str, runs))}`, {report['date']}, ", end="")
    print(f"{json.dumps(report['machine'], ensure_ascii=False)}\n")
    print(f"{report['test']['sentences']} test sentences, BLEU: {report['test']['bleu_signature']}\n")
    print("\n".join([HEAD, "|" + "---:|" * (HEAD.count("|") - 1), *map(row, runs)]))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([Path(run) for run in sys.argv[1:]])
