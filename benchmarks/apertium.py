"""A program as teacher, and its student: agreement on the test sentences, and speed on one core.

    python benchmarks/apertium.py RUN_DIR [--rounds 5]

RUN_DIR is a run of `distilmt run configs/apertium-en-es.yaml`. Everything runs on one core, with all processes that the
program starts. The program is started once with all sentences, its fastest mode. The student is loaded before the
measurement, as in a server; its loading time is reported separately.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

from turns import Results, table, write

from distilmt.data import prepare
from distilmt.evaluation.quality import score
from distilmt.inference.translator import Translator
from distilmt.utils.hardware import use_cores
from distilmt.utils.run_dir import read_json

KEYS = {"sentences/s": ("rate", 1, 0), "ready, ms": ("ready", 1000, 0), "CPU s": ("cpu", 1, 2)}


def cpu() -> float:
    """Processor time of this process and its children, in seconds."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def program(command: str, texts: list[str]) -> tuple[list[str], dict[str, float]]:
    """Translate all sentences with one call of the program."""
    begin, before = time.perf_counter(), cpu()
    text = "".join(f"{line}\n" for line in texts).encode()
    done = subprocess.run(shlex.split(command), input=text, capture_output=True, check=True)
    seconds = time.perf_counter() - begin
    output = [line.strip() for line in done.stdout.decode().removesuffix("\n").split("\n")]
    return output, {"rate": len(texts) / seconds, "ready": 0.0, "cpu": cpu() - before}


def student(path: Path, beam: int, batch: int, texts: list[str]) -> tuple[list[str], dict[str, float]]:
    """Translate all sentences with the student."""
    begin = time.perf_counter()
    translator = Translator(path, threads=1)
    translator.translate(texts[:1], beam, batch)
    ready, begin, before = time.perf_counter() - begin, time.perf_counter(), cpu()
    output = translator.translate(texts, beam, batch)
    seconds = time.perf_counter() - begin
    return output, {"rate": len(texts) / seconds, "ready": ready, "cpu": cpu() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    use_cores(0, len(os.sched_getaffinity(0)))
    test = prepare.load_split(given.run_dir / "corpus", "test")
    texts, references = test["source"].to_pylist(), test["target"].to_pylist()
    command = read_json(given.run_dir / "teacher" / "teacher.json")["command"]
    model = given.run_dir / "exports" / "student-int8"
    arms = {command: lambda: program(command, texts)}
    for beam, batch in ((1, 64), (4, 64), (1, 1)):
        name = f"student, int8, beam {beam}, {'alone' if batch == 1 else f'batches of {batch}'}"
        arms[name] = lambda beam=beam, batch=batch: student(model, beam, batch, texts)
    result: Results = {name: [] for name in arms}
    agreement = {}
    for number in range(given.rounds):
        for name in list(arms) if number % 2 == 0 else list(arms)[::-1]:
            output, figures = arms[name]()
            result[name].append(figures)
            agreement[name] = score(output, references, "es")
    lines = [f"- {name}: BLEU {each.bleu:.2f}, chrF {each.chrf:.2f}" for name, each in agreement.items()]
    first = next(iter(agreement.values()))
    parts = [
        f"{len(texts)} test sentences, agreement with the teacher ({first.bleu_signature}):",
        "\n".join(lines),
        "Speed on one core; the ratio is of sentences/s",
        table(result, KEYS, command, "rate"),
    ]
    scores = {name: {"bleu": each.bleu, "chrf": each.chrf} for name, each in agreement.items()}
    command = f"python benchmarks/apertium.py {' '.join(sys.argv[1:])}"
    write(given.run_dir.name, command, parts, {"arms": result, "scores": scores})


if __name__ == "__main__":
    main()
