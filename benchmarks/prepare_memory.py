"""Peak memory and speed of `distilmt prepare` by corpus size, on synthetic text.

    python benchmarks/prepare_memory.py [--lines 1000000 10000000] [--work DIR]

The text is the same on every machine: sentences of a few artificial words, one in twenty a repetition, one in a hundred
empty. Every size is prepared in a new process; memory is the maximum that the kernel reports for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from turns import Results, table, write

from distilmt.utils.run_dir import atomic_directory, read_step

LENGTHS = (1_000_000, 10_000_000)
PHRASES, SYLLABLES, BLOCK = 20_000, 60, 100_000
REPEATED, EMPTY = 0.05, 0.01
KEYS = {
    "peak RSS, MB": ("peak_rss_bytes", 1e-6, 0),
    "rows/s": ("rows_per_second", 1, 0),
    "rows/s of processor time": ("rows_per_cpu_second", 1, 0),
    "rows kept": ("rows", 1, 0),
}


def main(lengths: list[int], work: Path, command: str) -> None:
    actual: Results = {}
    for length in lengths:
        paths = _text(work / f"text-{length}", length)
        actual[f"{length:,} lines"] = [_prepare(paths, work / f"run-{length}", length)]
        shutil.rmtree(work / f"run-{length}")
    note = (
        f"Made-up text, about nine words a side, {REPEATED:.0%} of the pairs repeated and {EMPTY:.0%} empty. Rows/s are"
        " by the clock, with whatever else the machine was doing; those of processor time are not moved by it much."
    )
    write("prepare-memory", command, [note, table(actual, KEYS, next(iter(actual)), "peak_rss_bytes")], actual)


def _prepare(paths: list[Path], run: Path, length: int) -> dict[str, float]:
    """One run of the command line, with the kernel's figures for it."""
    command = [sys.executable, "-m", "distilmt", "prepare", "--quiet", "--run_dir", str(run)]
    command += ["--corpus.source", "en", "--corpus.target", "it", "--corpus.train", *map(str, paths)]
    begin = time.monotonic()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds, cpu = time.monotonic() - begin, usage.ru_utime + usage.ru_stime
    record = read_step(run / "corpus")
    if status or record is None:
        sys.exit(f"distilmt prepare failed with status {status}")
    return {
        "peak_rss_bytes": usage.ru_maxrss * 1024,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "rows_per_second": length / seconds,
        "rows_per_cpu_second": length / cpu,
        "rows": record.result["train"],
    }


def _text(directory: Path, length: int) -> list[Path]:
    """Two parallel files of `length` lines, created unless they exist."""
    names = ("text.en", "text.it")
    if not directory.exists():
        with atomic_directory(directory) as instance:
            _write([instance / name for name in names], length)
    return [directory / name for name in names]


def _write(paths: list[Path], length: int) -> None:
    random = np.random.default_rng(1)
    phrases = [_phrases(random, "aeiou"), _phrases(random, "aeiouàèéìù")]
    with paths[0].open("w", encoding="utf-8") as left, paths[1].open("w", encoding="utf-8") as right:
        for chosen in _chosen(random, length):
            for file, side in zip((left, right), phrases, strict=True):
                file.writelines(f"{side[a]} {side[b]}, {side[c]}.\n" if a >= 0 else "\n" for a, b, c in chosen)


def _chosen(random: np.random.Generator, length: int) -> Iterator[list[list[int]]]:
    """Numbers of three phrases per line; the first is negative if the line is empty."""
    for start in range(0, length, BLOCK):
        chosen = random.integers(0, PHRASES, (min(BLOCK, length - start), 3))
        again = random.random(len(chosen)) < REPEATED
        chosen[again] = chosen[random.integers(0, len(chosen), int(again.sum()))]
        chosen[random.random(len(chosen)) < EMPTY, 0] = -1
        yield chosen.tolist()


def _phrases(random: np.random.Generator, vowels: str) -> list[str]:
    """Artificial phrases of two to four words."""
    syllables = ["".join(pair) for pair in zip("bcdfglmnprst" * 5, vowels * SYLLABLES, strict=False)][:SYLLABLES]

    def word() -> str:
        return "".join(random.choice(syllables, int(random.integers(1, 5))))

    return [" ".join(word() for _ in range(int(random.integers(2, 5)))) for _ in range(PHRASES)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument(
        "--work", type=Path, help="where gigabytes of text are kept; a temporary directory if not given"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(
            given.lines,
            given.work or Path(folder),
            f"python benchmarks/prepare_memory.py --lines {' '.join(map(str, given.lines))}",
        )
