"""Students of ten Debian sections with and without a teacher, over several splits; see `distilmt.classification.study`.

    python benchmarks/sections.py [--splits 5] [--tsv ../shared/data/debian-sections]

Without --tsv the descriptions are downloaded with apt. Each split tests on other source packages; differences are
paired by split (Student's t, two-sided). Settings were chosen on split 1, which is not reported.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import ttest_rel
from turns import write

from distilmt.classification.study import StudyRow, study
from distilmt.data.readers import apt, debian, debian_sections
from distilmt.data.readers.debian_sections import LabeledText


def result(tsv: Path | None) -> list[LabeledText]:
    """All labeled texts."""
    if tsv is None:
        return debian_sections.examples(debian.descriptions(apt.fetch(["en"], apt.default_cache())))
    rows = []
    for part in ("train", "test"):
        with (tsv / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [LabeledText(row["label"], row["source"], row["package"], row["text"]) for row in rows]


def one_split(examples: list[LabeledText], seed: int) -> list[StudyRow]:
    rows = []
    for row in study(*debian_sections.split_by_source(examples, seed), seed):
        print(seed, row.teacher, row.student, f"{row.scores.accuracy.value:.4f}", file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def table(rows: list[StudyRow]) -> str:
    heads = [
        "teacher",
        "student",
        "accuracy, %",
        "without a teacher",
        "gain",
        "p",
        "macro-F1 gain",
        "agrees, %",
        "ECE, %",
    ]
    lines = [f"| {' | '.join([*heads, 'without', 'bytes', 'ms/text'])} |", "|---|---|" + "---:|" * 10]
    groups = defaultdict(list)
    for row in rows:
        groups[row.teacher, row.student].append(row)
    for (teacher, student), group in groups.items():
        lines.append(f"| {teacher} | {student} | " + " | ".join(cells(group)) + " |")
    return "\n".join(lines)


def cells(group: list[StudyRow]) -> list[str]:
    """Figures of a teacher and a student over all splits."""
    scores, without = [row.scores for row in group], [row.without for row in group if row.without]
    accuracy, plain = [100 * s.accuracy.value for s in scores], [100 * s.accuracy.value for s in without]
    f1 = [100 * (a.macro_f1.value - b.macro_f1.value) for a, b in zip(scores, without, strict=False)]
    chance = f"{float(ttest_rel(accuracy, plain).pvalue):.4f}" if len(plain) > 1 else ""
    gain = [a - b for a, b in zip(accuracy, plain, strict=False)]
    sure = [percent([100 * s.ece for s in side if s.ece is not None]) for side in (scores, without)]
    size = f"{mean(s.bytes or 0 for s in scores):,.0f}"
    agrees = percent([100 * s.agreement for s in scores if s.agreement is not None]) if without else ""
    last = [size, f"{mean(s.latency_ms for s in scores):.2f}"]
    return [percent(accuracy), percent(plain), percent(gain, "+"), chance, percent(f1, "+"), agrees, *sure, *last]


def percent(values: list[float], sign: str = "") -> str:
    if not values:
        return ""
    return f"{mean(values):{sign}.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tsv", type=Path, help="directory with train.tsv and test.tsv: label, source, package, text")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    examples = result(given.tsv)
    seeds = range(2, 2 + given.splits)
    with ProcessPoolExecutor(given.jobs) as pool:
        rows = [row for part in pool.map(one_split, [examples] * len(seeds), seeds) for row in part]
    data: dict[str, Any] = {"rows": [asdict(row) for row in rows]}
    note = f"{len(examples):,} texts, {given.splits} splits by source package, a fifth of the packages to test with"
    write("sections", f"python benchmarks/sections.py {' '.join(sys.argv[1:])}".strip(), [note, table(rows)], data)


if __name__ == "__main__":
    main()
