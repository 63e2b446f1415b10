"""Prediction error of `distilmt cost` for a run ten times longer than those its rates were fitted on.

    python benchmarks/cost.py [--minutes 1.5] [--times 10]

Short runs are made and rates fitted like in `distilmt cost CONFIG.yaml --calibrate`. Then a run of the same shapes has
`--times` as many updates and sentences as the longest short run (labels: as many sentences as there are), and one with
other shapes, batches and vocabulary has a quarter of that. The table compares the predictions, made before either run
started, with the measurements. The text is Multi30k in ../shared; without it nothing runs. About ten minutes on 2
cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from turns import write

from distilmt.config import (
    CorpusConfig,
    LabelConfig,
    ModelConfig,
    RunConfig,
    StudentConfig,
    TeacherConfig,
    TokenizerConfig,
    TrainingConfig,
)
from distilmt.pipeline import runner
from distilmt.planning import corpus_statistics as texts
from distilmt.planning import predict
from distilmt.planning.calibration import CostRates
from distilmt.planning.table import error
from distilmt.recipes import cost
from distilmt.report.format import count, operations, signed, size

DATA = Path("../shared/data/multi30k")
LANGUAGES = ("en", "de")
LIMIT = 25.0
"""Largest error in percent that the documentation claims."""


def base(work: Path) -> RunConfig:
    """The configuration of the short runs, before its length is set."""
    files = {split: [str(DATA / f"{split}.{side}") for side in LANGUAGES] for split in ("train", "val", "test2016")}
    training = TrainingConfig(batch_tokens=1024, eval_sentences=300, patience=0, warmup_steps=50)
    return RunConfig(
        run_dir=str(work / "same"),
        corpus=CorpusConfig(*LANGUAGES, files["train"], files["val"], files["test2016"]),
        tokenizer=TokenizerConfig(vocab_size=3000),
        teacher=TeacherConfig(None, ModelConfig(None, 128, 512, 4, 3, 3, max_positions=128), training),
        labels=LabelConfig(score_on="both"),
        student=StudentConfig(ModelConfig(None, 128, 256, 4, 2, 1, max_positions=128), training=training),
    )


def longer(config: RunConfig, rates: CostRates, times: float) -> RunConfig:
    """The same with `times` the updates and sentences of the longest short run."""
    seen = [o for o in rates.observations if o["kind"] == "training"]

    def most(step: str, driver: str) -> int:
        return int(times * max(o["drivers"][driver] for o in seen if o["step"] == step))

    def trained(training: TrainingConfig, step: str) -> TrainingConfig:
        updates = most(step, "updates")
        return replace(training, max_steps=updates, eval_steps=-(-updates // 4))

    return replace(
        config,
        teacher=replace(config.teacher, training=trained(config.teacher.training, "teacher")),
        labels=replace(config.labels, max_sentences=most("teacher", "pairs")),
        student=replace(config.student, training=trained(config.student.training, "student")),
    )


def other(config: RunConfig, work: Path) -> RunConfig:
    """Wider, of another depth, with a larger vocabulary and larger batches: not part of the fit."""
    teacher, student = (
        replace(trained, batch_tokens=1536) for trained in (config.teacher.training, config.student.training)
    )
    return replace(
        config,
        run_dir=str(work / "other"),
        tokenizer=TokenizerConfig(vocab_size=5000),
        teacher=TeacherConfig(None, ModelConfig(None, 160, 512, 4, 4, 2, max_positions=128), teacher),
        student=replace(config.student, model=ModelConfig(None, 96, 384, 4, 3, 2, max_positions=128), training=student),
    )


def done(config: RunConfig) -> float:
    """Run all steps up to the baseline in a separate process; return the seconds."""
    path, begin = Path(config.run_dir).with_suffix(".yaml"), time.monotonic()
    path.write_text(runner.dump(config), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "distilmt", "train-student", str(path), "--quiet"], check=True)
    return time.monotonic() - begin


def compared(config: RunConfig, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predicted and measured seconds, step by step."""
    real = {row["name"]: row for row in predict.measured_costs(config, texts.read(config))}
    rows = []
    for guess in before:
        if guess["name"] in real and guess["seconds"] is not None:
            rows.append({"name": guess["name"], "predicted": guess, "measured": real[guess["name"]]})
    return rows


def table(rows: list[dict[str, Any]], longest: dict[str, float]) -> str:
    heads = ["step", "parameters", "FLOPs", "s, predicted", "s, measured", "error, %", "times as long"]
    heads += ["MB, predicted", "MB, measured", "error, %", "kept, predicted", "kept, measured", "error, %"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        a, b = row["predicted"], row["measured"]
        cells = [row["name"], count(b["parameters"]), operations(b["flops"])]
        cells += [f"{a['seconds']:.1f}", f"{b['seconds']:.1f}", signed(error(a["seconds"], b["seconds"]))]
        cells.append(f"{b['seconds'] / longest[row['name']]:.1f}")
        peaks = a["peak_rss_bytes"], b["peak_rss_bytes"]
        cells += [*(f"{peak / 1e6:,.0f}" for peak in peaks), signed(error(*peaks))]
        remaining = a["bytes"]["kept"], b["bytes"]["kept"]
        lines.append(f"| {' | '.join([*cells, *map(size, remaining), signed(error(*remaining))])} |")
    return "\n".join(lines)


def total(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Predicted and measured seconds of all steps."""
    return tuple(sum(row[key]["seconds"] for row in rows) for key in ("predicted", "measured"))  # type: ignore[return-value]


def growth(config: RunConfig, rates: CostRates) -> str:
    """Growth of every step's time when one thing is doubled, by the fitted rates."""
    result = predict.growth(config, texts.read(config), rates)
    steps = list(next(iter(result.values())))
    lines = [f"| twice the | {' | '.join(steps)} |", "|---|" + "---:|" * len(steps)]
    for what, factors in result.items():
        lines.append(f"| {what} | {' | '.join(f'{factors[step] or 0:.2f}' for step in steps)} |")
    return "\n".join(lines)


def fitted(rates: CostRates) -> str:
    """The fitted rates."""
    lines = ["| kind | of | seconds for one |", "|---|---|---:|"]
    for kind, drivers in rates.seconds.items():
        lines += [f"| {kind} | {name} | {rate:.3g} |" for name, rate in drivers.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.5, help="of the short runs")
    parser.add_argument("--times", type=float, default=10, help="how much longer the long run is")
    parser.add_argument("--beside", default="nothing", help="what else the machine did meanwhile, for the record")
    given = parser.parse_args()
    if not (DATA / "train.en").exists():
        print(f"{DATA} is not there: nothing is measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="distilmt-cost-") as place:
        measure(Path(place), given)


def measure(work: Path, given: argparse.Namespace) -> None:
    start = base(work)
    rates = cost.calibrate(start, texts.read(start), given.minutes)
    same = longer(start, rates, given.times)
    runs = {"the same shapes": same, "other shapes": other(longer(start, rates, given.times / 4), work)}
    before = {name: predict.predicted_costs(config, texts.read(config), rates) for name, config in runs.items()}
    longest: dict[str, float] = {}
    for o in rates.observations:
        longest[o["step"]] = max(longest.get(o["step"], 0.0), o["seconds"])
    parts, data = [], {}
    for name, config in runs.items():
        wall = done(config)
        rows = compared(config, before[name])
        a, b = total(rows)
        worst = max(abs(error(r["predicted"]["seconds"], r["measured"]["seconds"]) or 0.0) for r in rows)
        remaining = "kept" if worst <= LIMIT else "broken"
        output = f"{name}: {a:.0f} s predicted, {b:.0f} s measured ({signed(100 * (a / b - 1))} %)"
        parts += [
            f"**{output}; worst step {worst:.1f} %: the promise of {LIMIT:g} % is {remaining}.**",
            table(rows, longest),
        ]
        data[name] = {"rows": rows, "wall_seconds": wall, "config": asdict(config)}
    about = f"Short runs of {given.minutes:g} minutes, the longest step {rates.longest:.1f} s. "
    parts = [f"{about}Beside it ran: {given.beside}.", *parts, "Rates:", fitted(rates)]
    parts += ["Time of a step when one thing is doubled, by these rates (the same shapes):", growth(same, rates)]
    command = f"python benchmarks/cost.py {' '.join(sys.argv[1:])}".strip()
    write("cost", command, parts, {"rates": asdict(rates), "runs": data, "beside": given.beside})


if __name__ == "__main__":
    main()
