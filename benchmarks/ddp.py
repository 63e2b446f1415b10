"""One process against two on the same machine: training losses and speed.

    python benchmarks/ddp.py [curves speed] --rounds 3

Two processes have half of the cores each; batches are the same. Curves: a small model for 250 updates of Muon, with
dropout (different masks in every process) and three seeds, and without. Speed: arms take turns, as in run.py. The text
is Multi30k in ../shared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "arms"))
from arms.common import Spec
from run import DATA
from turns import HERE, Results, table, write
from workload import SMALL, add_model, pairs_of, prepare

from distilmt.config import ModelConfig
from distilmt.models.device import has_bf16, pick_device

UPDATES, SEEDS = 250, (1, 2, 3)
TINY = ModelConfig(None, 128, 512, 4, 2, 2, max_positions=128)
SETTINGS = (("3+3, d=256", SMALL, 2048), ("3+3, d=256", SMALL, 4096))
COLUMNS = {"target tokens/s": ("tokens_per_second", 1, 0), "ms/update": ("seconds_per_update", 1000, 0)}


def turn(spec: Spec, processes: int) -> dict[str, Any]:
    """One training, in one process or in several."""
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *start, HERE / "arms" / "together.py", json.dumps(asdict(spec))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{processes} processes failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    result = json.loads(done.stdout.strip().split("\n")[-1])
    print(processes, spec.seed, {k: v for k, v in result.items() if k != "curve"}, file=sys.stderr, flush=True)
    return result


def curves(spec: Spec, work: Path, tokenizer: Any, command: str) -> None:
    """Mean training cross-entropy of the last part of a training, and the distance of the curves."""
    add_model(work, "model", TINY, tokenizer)
    # One thread each: speed does not matter here.
    spec = replace(spec, updates=UPDATES, batch_tokens=1024, options={"threads": 1})
    result: dict[str, Any] = {"updates": UPDATES}
    lines = ["| dropout | seed | one process | two | greatest difference of the curves |", "|---:|---:|---:|---:|---:|"]
    ends: dict[int, list[float]] = {1: [], 2: []}
    for dropout, seed in ((0.0, 1), *((0.1, seed) for seed in SEEDS)):
        one, two = (turn(replace(spec, dropout=dropout, seed=seed), n)["curve"] for n in (1, 2))
        result[f"dropout {dropout:g}, seed {seed}"] = {"one": one, "two": two}
        apart = max(abs(a - b) for a, b in zip(one, two, strict=True))
        lines.append(f"| {dropout:g} | {seed} | {one[-1]:.4f} | {two[-1]:.4f} | {apart:.5f} |")
        if dropout:
            ends[1].append(one[-1])
            ends[2].append(two[-1])
    means, spread = {n: statistics.mean(v) for n, v in ends.items()}, statistics.stdev(ends[1])
    note = (
        f"{UPDATES} updates of Muon in {'bf16' if spec.bf16 else 'float32'}, 2+2 layers, d=128, batches of "
        f"{spec.batch_tokens:,} tokens: cross-entropy of the training text, means of {UPDATES // 25} updates; at the "
        f"end with dropout {means[1]:.4f} in one process, {means[2]:.4f} in two; one process differs from seed to seed "
        f"by {spread:.4f} (standard deviation)."
    )
    write("ddp-curves", command, [note, "\n".join(lines)], result)


def speed(spec: Spec, work: Path, tokenizer: Any, command: str, rounds: int) -> None:
    """Target tokens per second."""
    parts, data = [], {}
    for name, shape, batch_tokens in SETTINGS:
        add_model(work, "model", shape, tokenizer)
        result: Results = {"one process": [], "two processes": []}
        for number in range(rounds):
            arms = list(enumerate(result.values(), 1))
            for processes, rows in arms if number % 2 == 0 else arms[::-1]:
                rows.append(turn(replace(spec, batch_tokens=batch_tokens, seed=number + 1), processes))
        title = f"{name}, batches of {batch_tokens:,} tokens, {spec.optimizer}"
        parts += [title, table(result, COLUMNS, "one process", "tokens_per_second")]
        data[title] = {arm: [{k: v for k, v in row.items() if k != "curve"} for row in r] for arm, r in result.items()}
    write("ddp", command, parts, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", default=["curves", "speed"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    work = Path("runs") / "benchmarks" / "work"
    tokenizer = prepare(work, *(pairs_of([f"{DATA}/{part}.en", f"{DATA}/{part}.de"]) for part in ("train", "val")))
    spec = Spec(str(work), seconds=chosen.seconds, bf16=has_bf16(pick_device()), optimizer="muon", learning_rate=0.003)
    if "curves" in chosen.what:
        curves(spec, work, tokenizer, "python benchmarks/ddp.py curves")
    if "speed" in chosen.what:
        speed(spec, work, tokenizer, f"python benchmarks/ddp.py speed --rounds {chosen.rounds}", chosen.rounds)


if __name__ == "__main__":
    main()
