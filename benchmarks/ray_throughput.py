"""Labeling on two Ray workers of one core, against two processes of one core each that label half of it at once.

    python benchmarks/ray_throughput.py [--rounds 5] [--sentences 6000]

Both take turns. Timing starts when both cores have finished a shard. The time to start Ray and load the teacher is
reported separately, because it does not grow with the corpus.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
from ray_kill import prepare
from turns import middle, write

from distilmt.config import LabelConfig, ModelConfig
from distilmt.data import prepare as corpora
from distilmt.data.tokenizer import load
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.writer import write_label_store
from distilmt.utils.hardware import use_cores

WORK = Path("runs") / "benchmarks" / "ray-throughput"
WORKERS = 2
TEACHER = ModelConfig(None, 128, 512, 4, 3, 3, max_positions=24)


@dataclass
class Half:
    """The share of one process: every `of`-th shard, from `first`."""

    store: Path
    first: int
    of: int
    config: LabelConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=6000)
    given = parser.parse_args()
    prepare(WORK, given.sentences, TEACHER)
    ray: list[dict[str, float]] = []
    local: list[dict[str, float]] = []
    for number in range(given.rounds):
        for arm in (on_ray, on_two_processes) if number % 2 == 0 else (on_two_processes, on_ray):
            (ray if arm is on_ray else local).append(arm())
            print(number, arm.__name__, (ray if arm is on_ray else local)[-1], file=sys.stderr, flush=True)
    ratios = [a["per_second"] / b["per_second"] for a, b in zip(ray, local, strict=True)]
    lines = ["| | sentences/s | seconds until then |", "|---|---:|---:|"]
    for name, result in (("Ray, two workers of one core", ray), ("two processes of one core each", local)):
        cells = [middle([f[key] for f in result], digits) for key, digits in (("per_second", 0), ("begin", 1))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    parts = ["\n".join(lines), f"Ratio, paired by rounds: {middle(ratios, 2)}"]
    data = {"ray": ray, "processes": local, "ratios": ratios, "median": statistics.median(ratios)}
    write("ray-throughput", f"python benchmarks/ray_throughput.py {' '.join(sys.argv[1:])}".strip(), parts, data)


def on_ray() -> dict[str, float]:
    return timed([Half(WORK / "stores" / "ray", 0, 1, config("ray"))])


def on_two_processes() -> dict[str, float]:
    return timed([Half(WORK / "stores" / str(i), i, WORKERS, config("local")) for i in range(WORKERS)])


def config(engine: str) -> LabelConfig:
    return LabelConfig(beam_size=4, top_k=0, shard_size=250, executor=engine, max_workers=0)  # type: ignore[arg-type]


def timed(halves: list[Half]) -> dict[str, float]:
    """Sentences per second of processes that label in parallel, after all of them have started."""
    shutil.rmtree(WORK / "stores", ignore_errors=True)
    context = get_context("spawn")
    queue: Any = context.Queue()
    began = time.time()
    processes = [context.Process(target=work, args=(half, queue)) for half in halves]
    for process in processes:
        process.start()
    marks = [queue.get() for _ in range(len(halves))]
    for process in processes:
        process.join()
    first = WORKERS // len(halves) - 1
    start, end = max(times[first][0] for times in marks), max(times[-1][0] for times in marks)
    rows = sum(count for times in marks for at, count in times if at > start)
    return {"per_second": rows / (end - start), "begin": start - began, "seconds": end - began}


def work(half: Half, queue: Any) -> None:
    """Label the share of one process; return the time of each finished shard."""
    if half.of > 1:
        use_cores(half.first, half.of)
    root = WORK / "ray"
    tokenizer = load(root / "tokenizer")
    job = LabelingTask(root / "teacher", tokenizer, half.config, "en", "de", needs_top_k=False)
    tables = list(shards(root, half))
    from distilmt.utils import progress

    clock = Clock()
    progress.set_listener(clock)
    write_label_store(iter(tables), sum(t.num_rows for t in tables), job, half.store)
    queue.put(clock.times)


def shards(root: Path, half: Half) -> Iterator[pa.Table]:
    whole, size = corpora.load_split(root / "corpus", "train"), half.config.shard_size
    starts = list(range(0, whole.num_rows, size))[half.first :: half.of]
    return (whole.slice(start, size) for start in starts)


class Clock:
    """Progress callback that records the time and the number of finished sentences."""

    def __init__(self) -> None:
        self.times: list[tuple[float, int]] = []

    def start(self, name: str, total: float | None, unit: str, done: float) -> Clock:
        return self

    def advance(self, amount: float = 1, **status: object) -> None:
        self.times.append((time.time(), int(amount)))

    def finish(self, task: object) -> None:
        pass

    def emit(self, message: str) -> None:
        pass


if __name__ == "__main__":
    main()
