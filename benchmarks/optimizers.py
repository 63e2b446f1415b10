"""Quality of a teacher after the same training time with Adam and with Muon.

    python benchmarks/optimizers.py RUN_DIR --language it > benchmarks/results/optimizers.md

RUN_DIR is a run with corpus and tokenizer; it is not changed. Every arm trains the same shape from the same weights on
the same batches for the same seconds, validations included; the schedule ends at that time. The figures are greedy BLEU
and chrF on validation sentences. Every arm has several seeds, taken in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from distilmt.config import CorpusConfig, ModelConfig, RunConfig, TeacherConfig, TrainingConfig
from distilmt.pipeline.steps.train import make_teacher
from distilmt.utils.machine_info import machine

ARMS = [("adam", 0.001), ("adam", 0.002), ("muon", 0.003), ("muon", 0.006)]


def trial(run: Path, language: str, shape: ModelConfig, seconds: float, arm: tuple[str, float], seed: int) -> dict:
    training = TrainingConfig(
        max_steps=round(seconds * 10),  # only the unit of the schedule: training ends by time
        max_seconds=seconds,
        batch_tokens=2048,
        optimizer=arm[0],
        learning_rate=arm[1],
        warmup_steps=round(seconds * 0.4),
        dropout=0.0,
        ema_decay=0.995,
        eval_steps=10**9,
        patience=0,
    )
    config = RunConfig(seed=seed, corpus=CorpusConfig(target=language), teacher=TeacherConfig(None, shape, training))
    with tempfile.TemporaryDirectory() as root:
        for part in ("corpus", "tokenizer"):
            (Path(root) / part).symlink_to((run / part).resolve())
        (Path(root) / "teacher").mkdir()
        result = make_teacher(config, Path(root) / "teacher")
        log = json.loads((Path(root) / "teacher" / "log.json").read_text())
    return {"updates": result["updates"], "bleu": log[-1]["bleu"], "chrf": log[-1]["chrf"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--language", default="it", help="target language of the run")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", type=int, default=4)
    parser.add_argument("--decoder", type=int, default=3)
    given = parser.parse_args()
    shape = ModelConfig(None, 256, 1024, 4, given.encoder, given.decoder, max_positions=128)
    result: dict[tuple[str, float], list[dict]] = {arm: [] for arm in ARMS}
    for seed in range(1, given.seeds + 1):
        for arm in ARMS:
            result[arm].append(trial(given.run, given.language, shape, given.seconds, arm, seed))
            print(arm, seed, result[arm][-1], file=sys.stderr, flush=True)
    print(f"`python {' '.join(sys.argv)}`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {json.dumps(machine())}\n")
    print("| optimizer | learning rate | updates | BLEU, by seed | chrF, median |\n|---|---:|---:|---|---:|")
    for (name, rate), results in result.items():
        bleu = ", ".join(f"{r['bleu']:.2f}" for r in results)
        updates, chrf = (statistics.median(r[key] for r in results) for key in ("updates", "chrf"))
        print(f"| {name} | {rate:g} | {updates:.0f} | {bleu} | {chrf:.2f} |")


if __name__ == "__main__":
    main()
