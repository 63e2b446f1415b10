"""How much a plan labels and trains: sizes of the subsets, and updates of every training, for the minutes given."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from distilmt.config import RunConfig
from distilmt.config.commands import PlanConfig
from distilmt.config.effects import keys_of
from distilmt.config.renamed import former
from distilmt.data import prepare
from distilmt.pipeline import runner
from distilmt.pipeline.dependencies import non_default
from distilmt.recipes.plan_subsets import SHARED, label_subset
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint, read_json, read_step, step_fingerprint, write_json
from distilmt.utils.step_results import LabelResult, result_of

logger = logging.getLogger(__name__)

_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
"""Subsets as shares of the biggest, which is a quarter of the text or the part that can be labeled in time."""
_BIGGEST = 1 / 4
_LEAST = 16
"""Minimum sentences of the smallest subset."""
_LABEL_SHARE, _TRAIN_SHARE = 0.4, 0.85
"""Maximum share of the minutes for labels; and share of the remaining time for updates, without validation."""
_LEAST_UPDATES, _PACE_SENTENCES = 100, 64


def distinct_seeds(config: PlanConfig, run: RunConfig) -> list[int]:
    """Seeds of the trainings."""
    return list(dict.fromkeys(config.seeds or [run.seed]))


def schedule_plan(config: PlanConfig, run: RunConfig) -> dict[str, Any]:
    """Sizes and updates: stored for the same settings, or decided now."""
    path = run.paths.plan / "decided.json"
    keys = keys_of(PlanConfig)
    options = {name: value for name, value in asdict(config).items() if "report" not in keys[name].steps}
    options, config_values = non_default(options, asdict(PlanConfig())), non_default(asdict(run), asdict(RunConfig()))
    step_fingerprints = [step_fingerprint(run.paths.step(step)) for step in SHARED]
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
    num_trainings, max_updates = (len(sizes) + 0.5) * len(distinct_seeds(config, run)), student.training.max_steps
    fit = min(max_updates, int(_TRAIN_SHARE * seconds_left / num_trainings / pace))
    return {"updates": max(min(_LEAST_UPDATES, max_updates), fit), "batches": batches}
