"""Print a finished run's figures as Markdown.

    python benchmarks/table.py RUN_DIR 'COMMAND' > benchmarks/results/NAME.md

COMMAND is the command of the run; it is printed above the table, so that the figures can be reproduced.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = (
    "| system | BLEU | chrF | TER | parameters | bytes | sent/s batch 1 | sent/s batch 64 | p50 ms | p95 ms | RSS MB |"
)


def row(system: dict[str, Any]) -> str:
    pace, latency = system["sentences_per_second"], system["latency_ms"]
    cells = [
        system["name"],
        *(f"{system[key]:.2f}" for key in ("bleu", "chrf", "ter")),
        f"{system['parameters']:,}",
        f"{system['file_bytes']:,}",
        *(f"{pace[key]:.1f}" for key in ("batch_1", "batch_64")),
        *(f"{latency[key]:.1f}" for key in ("p50", "p95")),
        f"{system['peak_rss_bytes'] / 1e6:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def beams(systems: list[dict[str, Any]]) -> str:
    sizes = {system["name"]: system["beam_size"] for system in systems}
    if len(set(sizes.values())) == 1:
        return f"beam {sizes.popitem()[1]}"
    return ", ".join(f"{name} at beam {size}" for name, size in sizes.items())


def ratios(report: dict[str, Any]) -> str:
    result = {system["name"]: system for system in report["systems"]}
    teacher, student = result["teacher"], result["student-int8"]
    smaller = teacher["file_bytes"] / student["file_bytes"]
    faster = student["sentences_per_second"]["batch_1"] / teacher["sentences_per_second"]["batch_1"]
    return (
        f"student-int8 against teacher: {smaller:.1f} times smaller, {faster:.1f} times faster at batch 1, one thread."
    )


def main(run: str, command: str) -> None:
    report = json.loads((Path(run) / "report.json").read_text(encoding="utf-8"))
    machine, pair, test = report["machine"], report["pair"], report["test"]
    print(f"# {pair['source']} → {pair['target']}\n")
    print(f"`{command}`, {report['date']}, {json.dumps(machine, ensure_ascii=False)}\n")
    print(f"{test['sentences']} test sentences, {beams(report['systems'])}, {test['bleu_signature']}\n")
    print("\n".join([HEAD, "|---|" + "---:|" * (HEAD.count("|") - 2), *map(row, report["systems"])]))
    print(f"\n{ratios(report)}\n")
    print("| difference | metric | value | 95 % interval | p |\n|---|---|---:|---|---:|")
    for c in report["comparisons"]:
        low, high = c["ci"]
        cells = (f"{c['a']} − {c['b']}", c["metric"], f"{c['difference']:+.2f}", f"{low:+.2f} … {high:+.2f}")
        print(f"| {' | '.join(cells)} | {c['p_value']:.4f} |")
    print("\n| step | minutes | peak RSS MB |\n|---|---:|---:|")
    for s in report["steps"]:
        print(f"| {s['name']} | {s['seconds'] / 60:.1f} | {s['peak_rss_bytes'] / 1e6:.0f} |")
    print(f"\nSignature: `{report['signature']}`")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
