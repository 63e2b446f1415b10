"""Prediction error of `distilmt plan`: predictions from a quarter of the text and less, compared with measurements.

    python benchmarks/plan.py [--run_dir runs/plan] [--updates 600] [--seeds 1,2,3] [--parts 2,1]

Students of benchmarks/curve.yaml (with the labels of configs/compare-multi30k.yaml) are trained on 1/64 to 1/4 of
Multi30k as in the plan, and then on a half and on all of it with the same seeds and number of updates. The table
compares the prediction of each seed's plan, of all seeds together, and of a law of the sizes alone with the scores on
the validation sentences. An existing run directory may provide the corpus, tokenizer, teacher and labels of that
comparison; otherwise they are created (an hour on 2 cores). Trained students are reused.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

from turns import write

from distilmt.config import RunConfig
from distilmt.config.commands import PlanConfig
from distilmt.config.loading import load_comparison
from distilmt.data import prepare
from distilmt.pipeline import runner
from distilmt.planning.recommendation import METRICS, LabelingCosts, LabelingDecision, LearningCurvePoint, recommend
from distilmt.recipes.plan import curve_point
from distilmt.recipes.plan_schedule import schedule_updates
from distilmt.recipes.plan_subsets import label_subset, run_trial, subset_trials

CONFIG = Path(__file__).with_name("curve.yaml")
SHARES = (64, 32, 16, 8, 4)
DIGITS = {"bleu": 2, "chrf": 2, "cross_entropy": 3}


def trained(
    run: RunConfig, sizes: Sequence[int], requests: Sequence[int], seeds: Sequence[int], updates: int
) -> list[LearningCurvePoint]:
    """The students of the plan, without those of half the updates, and those of the predicted sizes."""
    expected = [*subset_trials(seeds, run, sizes, updates), *subset_trials(seeds, run, requests, updates)]
    points = []
    for arm in (arm for arm in expected if arm.share == 1):
        label_subset(run, arm.size)
        run_trial(arm)
        points.append(curve_point(arm))
        print(points[-1], file=sys.stderr, flush=True)
    return points


def predicted(
    points: Sequence[LearningCurvePoint], question: LabelingDecision, rates: LabelingCosts, metric: str, size: int
) -> list[float]:
    """Best estimate and bounds for a size from students of a quarter of the text and less."""
    small = [p for p in points if p.size <= question.total // 4]
    half = replace(question, metric=metric, total=size)
    lines = recommend(small, half, rates)["lines"]
    line = next(line for line in lines if line["sentences"] == size)
    return line["cross_entropy" if metric == "cross_entropy" else "score"]


def judged(
    points: Sequence[LearningCurvePoint],
    question: LabelingDecision,
    rates: LabelingCosts,
    requests: Sequence[int],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """A row for every plan, metric and size: prediction, measurement, and whether it is within the bounds."""
    rows = []
    plans = [([seed], f"seed {seed}") for seed in seeds] + ([(list(seeds), "all seeds")] if len(seeds) > 1 else [])
    laws = (("", rates), (", law of sizes alone", replace(rates, batches=1e-12)))  # of text that is seen without end
    for (chosen, name), (law, used) in product(plans, laws):
        own = [p for p in points if p.seed in chosen]
        for metric in METRICS:
            for size in requests:
                guess, low, high = predicted(own, question, used, metric, size)
                real = [getattr(p, metric) for p in points if p.size == size]
                mean = statistics.mean(real)
                rows.append(
                    {"plan": name + law, "metric": metric, "size": size, "predicted": guess, "low": low, "high": high}
                    | {"measured": mean, "by_seed": real, "error": guess - mean, "within": low <= mean <= high}
                )
    return rows


def tables(
    rows: Sequence[dict[str, Any]], points: Sequence[LearningCurvePoint], question: LabelingDecision
) -> list[str]:
    heads = ["plan", "metric", "sentences", "predicted [90 %]", "measured, mean (by seed)", "error", "within"]
    lines = [f"| {' | '.join(heads)} |", "|---|---|---:|---|---|---:|---|"]
    for row in rows:
        d = DIGITS[row["metric"]]
        seeds = ", ".join(f"{value:.{d}f}" for value in row["by_seed"])
        cells = [row["plan"], row["metric"], f"{row['size']:,}"]
        cells += [f"{row['predicted']:.{d}f} [{row['low']:.{d}f}, {row['high']:.{d}f}]"]
        cells += [f"{row['measured']:.{d}f} ({seeds})", f"{row['error']:+.{d}f}", "yes" if row["within"] else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    sizes = sorted({p.size for p in points})
    measured = [
        "| sentences | updates | BLEU | chrF | cross-entropy | seconds of training |",
        "|---:|---:|---|---|---|---|",
    ]
    for size in sizes:
        for updates in sorted({p.updates for p in points if p.size == size}):
            own = [p for p in points if (p.size, p.updates) == (size, updates)]
            result = [", ".join(f"{getattr(p, m):.{DIGITS[m]}f}" for p in own) for m in METRICS]
            seconds = ", ".join(f"{p.train_seconds:.0f}" for p in own)
            measured.append(f"| {size:,} | {updates} | {' | '.join(result)} | {seconds} |")
    return [f"{question.total:,} training sentences.", "\n".join(lines), "\n".join(measured)]


def recommended(
    points: Sequence[LearningCurvePoint], question: LabelingDecision, rates: LabelingCosts, seeds: Sequence[int]
) -> str:
    """The size that each plan recommends, and the recommendation from a curve through all measurements."""
    output = []
    small = [p for p in points if p.size <= question.total // 4]
    plans = [(f"seed {seed}", [p for p in small if p.seed == seed]) for seed in seeds] + [
        ("all that was measured", points)
    ]
    for worth in (0.3, 1.0):
        for name, own in plans:
            row = recommend(own, replace(question, worth=worth), rates)["recommended"]
            low, high = row["interval"]
            output.append(f"{name}, worth {worth:g} BLEU: {row['sentences']:,} [{low:,.0f}, {high:,.0f}]")
    return "Recommended: " + "; ".join(output) + "."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", default="runs/plan")
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--parts", default="2,1", help="what is foretold: a half of the text, and all of it")
    parser.add_argument("--train_only", action="store_true", help="train and write nothing: several seeds side by side")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    # One thread: so small a student gains nothing by a second one, and on a busy machine waits for it.
    flags = ["--run_dir", given.run_dir, "--student.training.eval_sentences", "200"]
    flags += ["--student.training.threads", "1"]
    run = load_comparison([str(CONFIG), *flags]).run
    for step in ("corpus", "tokenizer", "teacher", "labels"):
        runner.execute_step(step, run)
    total = prepare.count_rows(Path(run.run_dir) / "corpus", "train")
    sizes = [total // share for share in SHARES]
    requests = [total // int(part) for part in given.parts.split(",")]
    batches = schedule_updates(PlanConfig(max_steps=given.updates), run, sizes)["batches"]
    rates = LabelingCosts(None, 0.0, 0.0, batches)
    points = trained(run, sizes, requests, seeds, given.updates)
    if given.train_only:
        return
    question = LabelingDecision("bleu", PlanConfig.min_gain, total, given.updates, given.updates)
    rows = judged(points, question, rates, requests, seeds)
    parts = [*tables(rows, points, question), recommended(points, question, rates, seeds)]
    command = f"python benchmarks/plan.py {' '.join(sys.argv[1:])}"
    write("plan", command, parts, {"rows": rows, "points": [asdict(p) for p in points]})


if __name__ == "__main__":
    main()
