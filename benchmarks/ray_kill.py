"""Label a corpus on Ray while workers and driver are killed at random; the result must equal that of one process.

    python benchmarks/ray_kill.py [--kills 20] [--sentences 6000] [--seed 1]

Every fifth kill is the driver's, which is then restarted. A kill happens at a random time after at least one more shard
was finished. At the end the store is checked (unique ids, checksums, positions), and its shards are compared byte for
byte with those that this process labels alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from turns import write
from workload import add_model

from distilmt.config import CorpusConfig, LabelConfig, ModelConfig, RunConfig, TokenizerConfig
from distilmt.data.tokenizer import load, train
from distilmt.labels.store import LabelStore
from distilmt.utils.run_dir import read_json

WORK = Path("runs") / "benchmarks" / "ray-kill"
TINY = ModelConfig(None, 64, 128, 2, 1, 1, max_positions=24)
SHARD = 100
DRIVER_EVERY = 5
SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ri", "su", "tor", "ken")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--sentences", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    prepare(WORK, given.sentences)
    begin, killed = time.monotonic(), labelled_under_fire(given.kills, random.Random(given.seed))
    seconds = time.monotonic() - begin
    store = LabelStore(WORK / "ray" / "labels")
    store.check()
    expected = [str(i) for i in range(given.sentences)]
    in_order = store.ids() == expected
    drive("local")
    shards = [
        [s["checksum"] for s in LabelStore(WORK / name / "labels").manifest["shards"]] for name in ("local", "ray")
    ]
    same = sum(a == b for a, b in zip(*shards, strict=True))
    result = {**killed, "sentences": store.rows, "shards": len(shards[0]), "shards_equal": same, "seconds": seconds}
    line = (
        f"{killed['workers']} workers and {killed['drivers']} drivers killed (SIGKILL) in {seconds:.0f} s; "
        f"{store.rows:,} sentences in {len(shards[0])} shards, checked: every id once, "
        f"{'in order' if in_order else 'NOT IN ORDER'}; {same} of {len(shards[0])} shards are byte for byte those of "
        "one process without Ray"
    )
    write("ray-kill", f"python benchmarks/ray_kill.py {' '.join(sys.argv[1:])}".strip(), [line], result)
    sys.exit(not (in_order and same == len(shards[0]) and sum(killed.values()) >= given.kills))


def prepare(work: Path, count: int, shape: ModelConfig = TINY) -> None:
    """Two run directories, `ray` and `local`, with the same corpus, tokenizer and teacher of random weights."""
    shutil.rmtree(work, ignore_errors=True)
    make = np.random.default_rng(1)
    words = ["".join(make.choice(SYLLABLES, 3)) for _ in range(3000)]
    distinct = [" ".join(make.choice(words, make.integers(3, 9))) + "." for _ in range(min(count, 50_000))]
    texts = list(islice(cycle(distinct), count))
    root = work / "ray"
    (root / "corpus").mkdir(parents=True)
    (root / "tokenizer").mkdir()
    table = pa.table({"id": [str(i) for i in range(count)], "source": texts, "target": texts})
    pq.write_table(table, root / "corpus" / "train.parquet", row_group_size=8192)  # as the corpus step does
    train(texts[:5000], texts[:5000], TokenizerConfig(vocab_size=1000), root / "tokenizer", 1)
    tokenizer = load(root / "tokenizer")
    add_model(root, "teacher", shape, tokenizer)
    tokenizer.copy_to(root / "teacher")
    shutil.copytree(root, work / "local")


def drive(engine: str) -> None:
    """The labels step, run in the driver's process."""
    from distilmt.pipeline.steps.train import write_labels

    labels = LabelConfig(beam_size=4, top_k=4, shard_size=SHARD, executor=engine)  # type: ignore[arg-type]
    root = WORK / engine
    write_labels(RunConfig(run_dir=str(root), corpus=CorpusConfig("en", "de"), labels=labels), root / "labels")


def labelled_under_fire(kills: int, moments: random.Random) -> dict[str, int]:
    """Label on Ray while this many processes are killed at random; return the number of kills by kind."""
    done = {"workers": 0, "drivers": 0}
    driver, seen = start(), 0
    while driver.exitcode is None or driver.exitcode != 0:
        if driver.exitcode is not None:
            if driver.exitcode != -signal.SIGKILL:
                sys.exit(f"the driver ended with status {driver.exitcode}")
            driver = start()
        time.sleep(moments.uniform(0.2, 2.0))
        instance = sum(done.values())
        if instance < kills and shards_there() > seen and (workers := busy(driver.pid or 0)):
            seen, at_driver = shards_there(), instance % DRIVER_EVERY == DRIVER_EVERY - 1
            victim = driver.pid if at_driver else moments.choice(workers)
            os.kill(int(victim or 0), signal.SIGKILL)
            done["drivers" if at_driver else "workers"] += 1
            print(f"{seen} shards are done; killed {'the driver' if at_driver else 'a worker'}", flush=True)
            if at_driver:
                driver.join()
    return done


def start() -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=drive, args=("ray",))
    process.start()
    return process


def shards_there() -> int:
    path = WORK / "ray" / "labels" / "manifest.json"
    return len(read_json(path)["shards"]) if path.exists() else 0


def busy(driver: int) -> list[int]:
    """Child processes of the driver that run one of our tasks."""
    parents, names = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(place.name)] = (place / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError):
            continue
    below, front = set[int](), {driver}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - below
        below |= front
    return [pid for pid in below if names.get(pid, "").startswith("ray::_label")]


if __name__ == "__main__":
    main()
