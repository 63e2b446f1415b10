"""`distilmt plan`: how much text to label, estimated from students trained on small subsets.

Corpus, tokenizer and teacher are those of the run. The configured student is trained on nested random subsets of the
text with equal updates, so that only the data differ; and once on the biggest subset with half the updates, to measure
the gain of more updates. All are scored on the validation set; the test set is not used. Every subset has its own run
directory under `plan/` with the pipeline's own steps, so an interrupted plan resumes, and the run reuses its labels.
"""

from __future__ import annotations

import logging
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from distilmt import __version__
from distilmt.config import RunConfig
from distilmt.config.commands import PlanConfig
from distilmt.config.renamed import former
from distilmt.data import prepare
from distilmt.pipeline import preflight, runner
from distilmt.pipeline.dependencies import non_default
from distilmt.planning.recommendation import LabelingCosts, LabelingDecision, LearningCurvePoint, recommend
from distilmt.report.plan import write as write_plan
from distilmt.report.plan_schema import PlanContent
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint, link, read_json, read_step, step_fingerprint, write_json
from distilmt.utils.sizes import total_bytes
from distilmt.utils.step_results import LabelResult, ModelResult, ValidationResult, read_result, result_of

logger = logging.getLogger(__name__)

_SHARED = ("corpus", "tokenizer", "teacher")
_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
"""Subsets as shares of the biggest, which is a quarter of the text or the part that can be labeled in time."""
_BIGGEST = 1 / 4
_LEAST = 16
"""Minimum sentences of the smallest subset."""
_LABEL_SHARE, _TRAIN_SHARE = 0.4, 0.85
"""Maximum share of the minutes for labels; and share of the remaining time for updates, without validation."""
_LEAST_UPDATES, _VALIDATIONS, _PACE_SENTENCES = 100, 4, 64


def run(config: PlanConfig, run_config: RunConfig) -> Path:
    """Run everything that is not finished; returns the directory of the plan.

    Raises:
        UserError: there is too little text for a plan, or less than a requested subset.
    """
    plan_dir = run_config.paths.plan
    preflight.check(run_config, exporting=False)
    if _is_current(config, run_config):
        return plan_dir
    with runner.open_run(run_config, whole=False):
        for step in _SHARED:
            runner.execute_step(step, run_config)
        schedule = _schedule(config, run_config)
        for size in sorted(schedule["sizes"], reverse=True):
            label_subset(run_config, size)
        all_trials = subset_trials(_seeds(config, run_config), run_config, schedule["sizes"], schedule["updates"])
        for number, trial in enumerate(all_trials, 1):
            logger.info(f"{trial.size} sentences, {trial.updates} updates: student {number} of {len(all_trials)}")
            run_trial(trial)
        report = _plan_report(config, run_config, all_trials, schedule)
        write_plan(report, _plan_fingerprints(config, run_config)[0], plan_dir)
    return plan_dir


def _seeds(config: PlanConfig, run: RunConfig) -> list[int]:
    return list(dict.fromkeys(config.seeds or [run.seed]))


def _plan_fingerprints(config: PlanConfig, run: RunConfig) -> list[str]:
    """Fingerprints of everything that a plan depends on: with current and with former key names."""
    step_fingerprints = [step_fingerprint(run.paths.step(step)) for step in _SHARED]
    options, run_values = (
        non_default(asdict(config), asdict(PlanConfig())),
        non_default(asdict(run), asdict(RunConfig())),
    )
    run_values.pop("run_dir", None)
    both = [options, run_values], [former(PlanConfig, options), former(RunConfig, run_values)]
    return [fingerprint([values, step_fingerprints, __version__]) for values in both]


def _is_current(config: PlanConfig, run: RunConfig) -> bool:
    """Whether there is a result for the same settings and inputs."""
    plan_dir = run.paths.plan
    if not all((plan_dir / f"plan.{kind}").exists() for kind in ("json", "md", "html")):
        return False
    plan = read_json(plan_dir / "plan.json")
    same = plan.get("fingerprint", plan.get("asked")) in _plan_fingerprints(config, run)  # `asked`: until 2026-11
    return same and all(runner.is_done(step, run) for step in _SHARED)


@dataclass(frozen=True)
class SubsetTrial:
    """One training: on a subset, with a seed; `share` of the updates."""

    size: int
    seed: int
    share: float
    run: RunConfig

    @property
    def run_dir(self) -> Path:
        """Its run directory."""
        return Path(self.run.run_dir)

    @property
    def updates(self) -> int:
        """Of its training."""
        return self.run.student.training.max_steps


def subset_trials(seeds: Sequence[int], run: RunConfig, sizes: Sequence[int], updates: int) -> list[SubsetTrial]:
    """All trainings: every size with the first seed, then the next ones; and the biggest size with half the updates."""
    grid = [(size, 1.0) for size in sizes] + [(max(sizes), 0.5)]
    return [_subset_trial(run, size, seed, share, updates) for seed in seeds for size, share in grid]


def _subset_trial(run: RunConfig, size: int, seed: int, share: float, updates: int) -> SubsetTrial:
    run_dir = run.paths.subset(size).root / (f"seed-{seed}" + ("" if share == 1 else "-half"))
    trial_updates = max(1, round(share * updates))
    training = replace(
        run.student.training,
        max_steps=trial_updates,
        max_seconds=None,
        patience=0,  # early stopping would give unequal numbers of updates
        eval_steps=math.ceil(trial_updates / _VALIDATIONS),
    )
    student = replace(run.student, training=training, on_policy=replace(run.student.on_policy, steps=0), baseline=False)
    return SubsetTrial(
        size, seed, share, replace(_subset_config(run, size), run_dir=str(run_dir), seed=seed, student=student)
    )


def _subset_config(run: RunConfig, size: int) -> RunConfig:
    """Configuration of the run with this number of labeled sentences, in the subset's directory."""
    return replace(run, run_dir=str(run.paths.subset(size).root), labels=replace(run.labels, max_sentences=size))


def label_subset(run: RunConfig, size: int) -> None:
    """Label a subset: the first sentences in the sampling order of the run."""
    subset = run.paths.subset(size)
    subset.root.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        link(subset.step(name), run.paths.step(name))
    for name in ("labels", "selection") if run.labels.selects else ("labels",):
        runner.execute_step(name, _subset_config(run, size))


def run_trial(trial: SubsetTrial) -> None:
    """Train a student on a labeled subset, and score it on the validation set."""
    trial.run_dir.mkdir(parents=True, exist_ok=True)
    for name in (*_SHARED, "labels", *(["selection"] if trial.run.labels.selects else [])):
        link(trial.run_dir / name, trial.run_dir.parent / name)
    runner.execute_step("student", trial.run)
    runner.execute_step("validation", trial.run)


def _schedule(config: PlanConfig, run: RunConfig) -> dict[str, Any]:
    """Sizes and updates: stored for the same settings, or decided now."""
    path = run.paths.plan / "decided.json"
    options = {
        key: value for key, value in asdict(config).items() if key not in ("min_gain", "metric", "price_per_sentence")
    }
    options, config_values = non_default(options, asdict(PlanConfig())), non_default(asdict(run), asdict(RunConfig()))
    step_fingerprints = [step_fingerprint(run.paths.step(step)) for step in _SHARED]
    both = (options, config_values), (former(PlanConfig, options), former(RunConfig, config_values))
    fingerprints = [
        fingerprint([o, step_fingerprints, values.get("labels"), values.get("student"), run.seed]) for o, values in both
    ]
    schedule = read_json(path) if path.exists() else {}
    if schedule.get("settings") not in fingerprints:
        total = prepare.count_rows(run.paths.corpus, "train")
        sizes = _given(config.sizes, total) if config.sizes else _sizes(config, run, total)
        schedule = {"settings": fingerprints[0], "sizes": sizes}
        write_json(path, schedule)
    if "updates" not in schedule:
        schedule |= schedule_updates(config, run, schedule["sizes"])
        write_json(path, schedule)
    sizes_text = ", ".join(f"{size:,}" for size in schedule["sizes"])
    logger.info(f"subsets of {sizes_text} sentences, {schedule['updates']} updates each")
    return dict(schedule)


def _given(sizes: Sequence[int], total: int) -> list[int]:
    if max(sizes) > total:
        raise UserError(f"--sizes contains {max(sizes)}, but there are only {total} training sentences: reduce it")
    return sorted(set(sizes))


def _sizes(config: PlanConfig, run: RunConfig, total: int) -> list[int]:
    biggest = int(total * _BIGGEST)
    label_record = read_step(run.paths.labels) if runner.is_done("labels", run) else None
    if result_of(LabelResult, label_record).sentences < biggest:
        pace = _label_pace(run, min(biggest, _PACE_SENTENCES))
        biggest = min(biggest, int(_LABEL_SHARE * config.minutes * 60 / pace))
    sizes = sorted({size for fraction in _FRACTIONS if (size := int(biggest * fraction)) >= _LEAST})
    if len(sizes) < 3:
        raise UserError(
            f"the biggest subset would have {biggest} of {total} sentences, too few for a curve: increase "
            "--minutes, set --sizes, or label all"
        )
    return sizes


def _label_pace(run: RunConfig, sentences: int) -> float:
    """Seconds per sentence, measured on the first sentences to label."""
    from distilmt.labels.writer import seconds_per_sentence
    from distilmt.pipeline.steps.train import labeled_mask, labeling_task

    table = prepare.load_split(run.paths.corpus, "train")
    some = table.filter(pa.array(labeled_mask(run, table.num_rows, max(1, sentences))))
    with tempfile.TemporaryDirectory(dir=run.run_dir) as directory:
        return seconds_per_sentence(some, labeling_task(run, run.paths), Path(directory))


def schedule_updates(config: PlanConfig, run: RunConfig, sizes: Sequence[int]) -> dict[str, Any]:
    """Label the biggest subset, and compute the updates for the remaining time, at most those of the run.

    Returns:
        `updates`; and `batches`, updates of one epoch per sentence: the product with a size is one epoch.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.pipeline.steps.train import student_job
    from distilmt.training.batching import epoch_batches
    from distilmt.training.throughput import seconds_per_update

    begin, biggest, student = time.monotonic(), max(sizes), run.student
    label_subset(run, biggest)
    subset = run.paths.subset(biggest)
    tokenizer = tokenizers.load(subset.tokenizer)
    job, _ = student_job(run, subset, tokenizer)
    batches = len(epoch_batches(job.data, student.training.batch_tokens, 1, 0)) / biggest
    if config.max_steps:
        return {"updates": config.max_steps, "batches": batches}
    pace = seconds_per_update(job.data, student.model, student.training, student.objective, tokenizer, job.teacher)
    seconds_left = config.minutes * 60 - (time.monotonic() - begin)
    num_trainings, max_updates = (len(sizes) + 0.5) * len(_seeds(config, run)), student.training.max_steps
    fit = min(max_updates, int(_TRAIN_SHARE * seconds_left / num_trainings / pace))
    return {"updates": max(min(_LEAST_UPDATES, max_updates), fit), "batches": batches}


def _plan_report(
    config: PlanConfig, run: RunConfig, trials: Sequence[SubsetTrial], schedule: dict[str, Any]
) -> PlanContent:
    """Content of the report for the finished students."""
    question = LabelingDecision(
        config.metric,
        config.min_gain,
        prepare.count_rows(run.paths.corpus, "train"),
        schedule["updates"],
        run.student.training.max_steps,
    )
    biggest = run.paths.subset(max(schedule["sizes"])).labels
    label_bytes = total_bytes(biggest, "shard-*.parquet")
    rates = LabelingCosts(
        _label_seconds(run, schedule["sizes"]),
        label_bytes / max(schedule["sizes"]),
        _train_seconds(run, trials),
        schedule["batches"],
        config.price_per_sentence,
    )
    return {
        "pair": {"source": run.corpus.source, "target": run.corpus.target},
        "language": run.report_language,
        **recommend([curve_point(trial) for trial in trials], question, rates),
    }


def curve_point(trial: SubsetTrial) -> LearningCurvePoint:
    """Results of a student."""
    student, validation = read_step(trial.run_dir / "student"), read_step(trial.run_dir / "validation")
    assert student is not None and validation is not None
    scores = result_of(ValidationResult, validation)
    return LearningCurvePoint(
        trial.size,
        trial.seed,
        trial.updates,
        bleu=scores.bleu,
        chrf=scores.chrf,
        cross_entropy=scores.cross_entropy,
        train_seconds=result_of(ModelResult, student).train_seconds or 0.0,
    )


def _label_seconds(run: RunConfig, sizes: Sequence[int]) -> float | None:
    """Seconds per sentence, of the plan's biggest labeled subset, else of the run's own labels."""
    runs = [*(run.paths.subset(size) for size in sorted(sizes, reverse=True)), run.paths]
    records = [record for each in runs if (record := read_step(each.labels)) is not None]
    for record in records:
        if seconds := result_of(LabelResult, record).seconds_per_sentence:
            return seconds
    whole = [record for record in records if not result_of(LabelResult, record).reused]
    return whole[-1].seconds / result_of(LabelResult, whole[-1]).sentences if whole else None


def _train_seconds(run: RunConfig, trials: Sequence[SubsetTrial]) -> float:
    """Predicted training time of the run's student, by the median pace of these students."""
    training, paces, checks = run.student.training, [], []
    for trial in trials:
        result = read_result(ModelResult, trial.run.paths.student)
        validating = result.validation_seconds or 0.0
        paces.append(((result.train_seconds or 0.0) - validating) / (result.updates or trial.updates))
        checks.append(validating / math.ceil(trial.updates / trial.run.student.training.eval_steps))
    validations = math.ceil(training.max_steps / training.eval_steps)
    seconds = training.max_steps * statistics.median(paces) + validations * statistics.median(checks)
    return float(min(seconds, training.max_seconds or math.inf))
