"""Subsets of a plan: their run directories, their labels, and the students trained on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.pipeline import runner
from distilmt.utils.run_dir import link

SHARED = ("corpus", "tokenizer", "teacher")
"""Steps that all subsets have in common."""
_VALIDATIONS = 4


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
    for name in SHARED:
        link(subset.step(name), run.paths.step(name))
    for name in ("labels", "selection") if run.labels.selects else ("labels",):
        runner.execute_step(name, _subset_config(run, size))


def run_trial(trial: SubsetTrial) -> None:
    """Train a student on a labeled subset, and score it on the validation set."""
    trial.run_dir.mkdir(parents=True, exist_ok=True)
    for name in (*SHARED, "labels", *(["selection"] if trial.run.labels.selects else [])):
        link(trial.run_dir / name, trial.run_dir.parent / name)
    runner.execute_step("student", trial.run)
    runner.execute_step("validation", trial.run)
