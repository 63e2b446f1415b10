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
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.config import RunConfig
from distilmt.config.commands import PlanConfig
from distilmt.config.renamed import former
from distilmt.data import prepare
from distilmt.pipeline import preflight, runner
from distilmt.pipeline.dependencies import non_default
from distilmt.pipeline.frame_checks import require_text
from distilmt.planning.recommendation import LabelingCosts, LabelingDecision, LearningCurvePoint, recommend
from distilmt.recipes.plan_schedule import distinct_seeds, schedule_plan
from distilmt.recipes.plan_subsets import SHARED, SubsetTrial, label_subset, run_trial, subset_trials
from distilmt.report.plan import write as write_plan
from distilmt.report.plan_schema import PlanContent
from distilmt.utils.run_dir import fingerprint, read_json, read_step, step_fingerprint
from distilmt.utils.sizes import total_bytes
from distilmt.utils.step_results import LabelResult, ModelResult, ValidationResult, read_result, result_of

logger = logging.getLogger(__name__)


def run(config: PlanConfig, run_config: RunConfig) -> Path:
    """Run everything that is not finished; returns the directory of the plan.

    Raises:
        UserError: there is too little text for a plan, or less than a requested subset; or the student reads pictures.
    """
    plan_dir = run_config.paths.plan
    require_text(run_config, "plan")
    preflight.check(run_config, exporting=False)
    if _is_current(config, run_config):
        return plan_dir
    with runner.open_run(run_config, whole=False):
        for step in SHARED:
            runner.execute_step(step, run_config)
        schedule = schedule_plan(config, run_config)
        for size in sorted(schedule["sizes"], reverse=True):
            label_subset(run_config, size)
        all_trials = subset_trials(
            distinct_seeds(config, run_config), run_config, schedule["sizes"], schedule["updates"]
        )
        for number, trial in enumerate(all_trials, 1):
            logger.info(f"{trial.size} sentences, {trial.updates} updates: student {number} of {len(all_trials)}")
            run_trial(trial)
        report = _plan_report(config, run_config, all_trials, schedule)
        write_plan(report, _plan_fingerprints(config, run_config)[0], plan_dir)
    return plan_dir


def _plan_fingerprints(config: PlanConfig, run: RunConfig) -> list[str]:
    """Fingerprints of everything that a plan depends on: with current and with former key names."""
    step_fingerprints = [step_fingerprint(run.paths.step(step)) for step in SHARED]
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
    return same and all(runner.is_done(step, run) for step in SHARED)


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
