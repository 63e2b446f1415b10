"""Selected variants of `distilmt compress` on the test sentences, compared with the teacher: scores, bytes, speed.

    python benchmarks/points.py RUN_DIR 'student-int8_float16-4bit-packed, beam 4' …

Names are those in RUN_DIR/compressed/budget.md. This is for curves; `distilmt compress` selects the model to deploy.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from turns import write

from distilmt.config.loading import load_compress
from distilmt.recipes.ablation import Stage, measure_stages


def line(row: dict[str, Any], teacher: dict[str, Any], validation: float | None) -> str:
    against = row["against_teacher"].get("bleu")
    change = "" if against is None else f"{against['difference']:+.2f} (p = {against['p_value']:.3f})"
    speeds = [one["speed"]["latency_ms"]["p50"] for one in (teacher, row)]
    cells = [
        f"{row['bytes'] / 1e3:,.0f}",
        f"{teacher['bytes'] / row['bytes']:.1f}",
        "" if validation is None else f"{validation:.2f}",
        f"{row['scores']['bleu']:.2f}",
        change,
        f"{row['scores']['chrf']:.2f}",
        f"{speeds[1]:.2f}",
        f"{speeds[0] / speeds[1]:.1f}",
        f"{row['speed']['sentences_per_second']['batch_64']:,.0f}",
    ]
    return f"| {row['label']} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("points", nargs="+", metavar="NAME")
    parser.add_argument("--name", default="points", help="of the result")
    given = parser.parse_args()
    _, run = load_compress([str(given.run_dir)])
    place = given.run_dir / "compressed"
    recognized = {
        p["name"]: p["score"] for p in json.loads((place / "budget.json").read_text(encoding="utf-8"))["points"]
    }
    stages = [Stage("teacher", place / "exports" / "teacher-float32" / "model", run.evaluation.beam_size)]
    for name in given.points:
        if name not in recognized:
            sys.exit(f"{name!r} is none of the points in {place}/budget.md")
        export, _, beam = name.partition(", beam ")
        stages.append(Stage(name, place / "exports" / export / "model", int(beam)))
    rows = measure_stages(run, stages)
    heads = [
        "",
        "kB",
        "smaller",
        "validation BLEU",
        "BLEU",
        "against the teacher",
        "chrF",
        "ms",
        "faster",
        "sentences/s",
    ]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += [line(row, rows[0], recognized.get(row["label"])) for row in rows]
    note = "One thread; ms: median of single sentences, sentences/s: in batches of 64. All timed in turn."
    command = f"python benchmarks/points.py {given.run_dir} {' '.join(map(repr, given.points))} --name {given.name}"
    write(given.name, command, ["\n".join(lines), note], {"rows": rows})


if __name__ == "__main__":
    main()
