"""Students with and without robustness training, at equal updates: failure rates of the challenge sets, and BLEU.

    python benchmarks/robustness.py benchmarks/robustness-debian.yaml --minutes 10 --seeds 3 [--only robust]

Trains every method of the file with every seed (`distilmt compare`), on one set of labels. The updates are those that
the method without augmentation does in the minutes; all methods have as many. Then all challenge sets are run on every
student in float32, with at most `evaluation.challenge_cases` inputs each, from held-out sentences. The test set is
translated clean and with every source disturbed. The same command resumes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from turns import write

from distilmt.config import AugmentationConfig, RunConfig
from distilmt.config.comparison import CompareConfig
from distilmt.config.loading import load_comparison
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation import challenge_runner, quality
from distilmt.pipeline import runner
from distilmt.pipeline.steps.challenges import challenge_data
from distilmt.pipeline.steps.score import export_model
from distilmt.pipeline.steps.train import student_job
from distilmt.recipes import compare
from distilmt.teachers.remote import load_translation_model
from distilmt.training import source_noise
from distilmt.training.augmentation import SourceAugmentation
from distilmt.training.throughput import seconds_per_update
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import read_json, write_json

SHARED = ("corpus", "tokenizer", "teacher", "labels")
DISTURBED: dict[str, Callable[[str, random.Random, str], str]] = {
    "clean": lambda text, generator, language: text,
    "capitals": lambda text, generator, language: source_noise.with_case(text, "capitals", generator, language),
    "lower case": lambda text, generator, language: source_noise.with_case(text, "lower_case", generator, language),
    "title case": lambda text, generator, language: source_noise.with_case(text, "title_case", generator, language),
    "typing errors": lambda text, generator, language: source_noise.with_typos(text, generator),
    "no full stop": lambda text, generator, language: source_noise.without_full_stop(text),
}


@dataclass(frozen=True)
class Measured:
    """One model: failure rates by challenge set, and BLEU by disturbance, both in percent."""

    failures: dict[str, float]
    bleu: dict[str, float]


def updates_for(config: CompareConfig, minutes: float) -> int:
    """Updates of the plain student in some minutes; measured once for a run directory."""
    file = Path(config.run.run_dir) / "updates.json"
    if not file.exists():
        with runner.open_run(config.run):
            for step in SHARED:
                runner.execute_step(step, config.run)
        run, tokenizer = config.methods[config.baseline], tokenizers.load(config.run.paths.tokenizer)
        job, _ = student_job(run, config.run.paths, tokenizer)
        student = run.student
        pace = seconds_per_update(job.data, student.model, student.training, student.objective, tokenizer)
        write_json(file, {"minutes": minutes, "updates": max(1, round(60 * minutes / pace))})
    stored = read_json(file)
    if stored["minutes"] != minutes:
        sys.exit(
            f"{file} is of {stored['minutes']:g} minutes: give --minutes {stored['minutes']:g}, or another --run_dir"
        )
    return int(stored["updates"])


def with_updates(config: CompareConfig, updates: int) -> CompareConfig:
    """The comparison with as many updates for every method."""

    def changed(run: RunConfig) -> RunConfig:
        training = replace(run.student.training, max_steps=updates, max_seconds=None, patience=0)
        return replace(run, student=replace(run.student, training=training))

    return replace(
        config, run=changed(config.run), methods={name: changed(run) for name, run in config.methods.items()}
    )


def measured(run: RunConfig, model: str, root: RunConfig, work: Path) -> Measured:
    """Challenge sets and disturbed test sets of a model; stored, so that it is not translated with again."""
    file = work / "measured.json"
    if not file.exists():
        export = work / "model"
        if not (export / "model.bin").exists():
            export.mkdir(parents=True, exist_ok=True)
            export_model(run, run.paths, model, "float32", export)
        translator, beam = load_translation_model(export, threads=1, workers=cores()), run.evaluation.beam_of(model)
        results = challenge_runner.run_challenges(translator, challenge_data(root, root.paths), beam, root.seed)
        failures = {name: 100 * statistics.fmean(result.failed) for name, result in results.items()}
        write_json(file, {"failures": failures, "bleu": disturbed_bleu(root, translator, beam)})
    return Measured(**read_json(file))


def disturbed_bleu(run: RunConfig, translator: Any, beam: int) -> dict[str, float]:
    """BLEU of the test set with every source disturbed, letter case ignored; `clean` counts it."""
    test = prepare.load_split(run.paths.corpus, "test").to_pydict()
    scores = {}
    for name, disturb in DISTURBED.items():
        sources = [disturb(text, random.Random(row), run.corpus.source) for row, text in enumerate(test["source"])]
        lines, references = translator.translate(sources, beam), test["target"]
        if name != "clean":
            lines, references = [text.lower() for text in lines], [text.lower() for text in references]
        scores[name] = quality.score(lines, references, run.corpus.target).bleu
    return scores


def table(models: dict[str, list[Measured]], baseline: str, part: str) -> str:
    """Means over the seeds, and in brackets every seed; for failures, the share of the baseline's."""
    methods = [name for name in models if name not in ("teacher", baseline)]
    unit = "failures, %" if part == "failures" else "BLEU"
    change = "of" if part == "failures" else "against"
    heads = [unit, *models, *(f"{name} {change} {baseline}" for name in methods)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in getattr(models[baseline][0], part):
        values = {name: [getattr(each, part)[row] for each in seeds] for name, seeds in models.items()}
        means = {name: statistics.fmean(seeds) for name, seeds in values.items()}
        cells = [_cell(values[name]) for name in models]
        for name in methods:
            if part == "bleu":
                cells.append(f"{means[name] - means[baseline]:+.2f}")
            else:
                cells.append(f"{means[name] / means[baseline]:.2f}" if means[baseline] else "")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    every = f" ({', '.join(f'{value:.1f}' for value in values)})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{every}"


def rows_per_second(config: CompareConfig) -> str:
    """Speed of the disturbances of `robust`: on the training text of the run, one epoch."""
    paths = config.run.paths
    tokenizer = tokenizers.load(paths.tokenizer)
    job, _ = student_job(config.methods[config.baseline], paths, tokenizer)
    texts = prepare.load_split(paths.corpus, "train")["source"].to_pylist()[: len(job.data.source)]
    data = replace(job.data, source=type(job.data.source).of(tokenizer.source.encode(texts)))
    own = AugmentationConfig(lower_case=0.05, title_case=0.05, no_full_stop=0.1, typos=0.1)
    augmentation = SourceAugmentation(texts, tokenizer.source, config.run.corpus.source, own)
    begin, cpu = time.monotonic(), time.process_time()
    augmentation.in_epoch(data, 1, 0)
    seconds, used = time.monotonic() - begin, time.process_time() - cpu
    return (
        f"The sources of an epoch of {len(texts):,} sentences (lower, title case: 0.05; no full stop, typos: "
        f"0.1) are made in {seconds:.2f} s ({used:.2f} s of processor time): {len(texts) / seconds:,.0f} sentences/s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="robustness-debian.yaml, robustness-multi30k.yaml or one like them")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the training of a plain student")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--only", help="methods besides `plain`, separated by commas; default: all of the file")
    parser.add_argument("--run_dir", help="default: that of the file")
    given = parser.parse_args()
    arguments = [str(given.config), "--seeds", ",".join(map(str, range(1, given.seeds + 1)))]
    arguments += ["--only", given.only] if given.only else []
    arguments += ["--run_dir", given.run_dir] if given.run_dir else []
    config = load_comparison(arguments)
    updates = updates_for(config, given.minutes)
    config = with_updates(config, updates)
    root = compare.run(config)
    work = root / "robustness"
    models = {"teacher": [measured(config.run, "teacher", config.run, work / "teacher")]}
    for trial in compare.method_trials(config):
        place = work / trial.method / f"seed-{trial.run.seed}"
        models.setdefault(trial.method, []).append(measured(trial.run, "student", config.run, place))
    parts = [
        f"{updates:,} updates for every student, {given.seeds} seeds, at most {config.run.evaluation.challenge_cases} "
        "inputs in each challenge set.",
        table(models, config.baseline, "failures"),
        "Test set, clean and with every source disturbed (those without letter case):",
        table(models, config.baseline, "bleu"),
        rows_per_second(config),
    ]
    data = {name: [vars(each) for each in seeds] for name, seeds in models.items()}
    write(given.config.stem, f"python benchmarks/robustness.py {' '.join(sys.argv[1:])}", parts, data)


if __name__ == "__main__":
    main()
