"""What fits into a number of minutes: decisions from measurements, stored so that an interrupted run keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt.config import ExportConfig, ObjectiveConfig, RunConfig
from distilmt.config.commands import DemoConfig
from distilmt.config.distill import DistillConfig
from distilmt.config.renamed import translated, translated_command
from distilmt.pipeline.dependencies import non_default
from distilmt.pipeline.run_root import PLAN
from distilmt.utils.run_dir import read_json, read_step, write_json
from distilmt.utils.run_paths import RunPaths

STEPS = ("corpus", "references", "tokenizer", "teacher", "labels")
"""Steps before the training of the student."""
NO_TEACHER = ObjectiveConfig(kd_weight=0, ce_weight=1)
"""Training on the labels' texts alone."""
_MIN_UPDATES = 20
"""With fewer updates, warm-up and five validations would leave nothing of a training."""
_SPARE = 1.05
"""Planned updates for each that fits by the measured pace: the schedule shortens if they do not fit, and no time is
left over if they do."""

_SHORT_SECONDS = 150
"""A training of fewer seconds is validated twice: a validation of a model that has learned little takes long."""

Planned = DemoConfig | DistillConfig | RunConfig
"""Settings that a plan depends on."""


def cached_plan(root: Path, part: str, config: Planned, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A part of the plan in a run directory: stored for the same settings, or decided now."""
    path, settings = root / PLAN, _settings(config)
    plans = read_json(path) if path.exists() else {}
    if part not in plans or not _same(
        translated_command(type(config), plans[part]["settings"]), settings, type(config)()
    ):
        plans[part] = {"settings": settings, "plan": make()}
        write_json(path, plans)
    section = "student." if part == "student" else "teacher.training."
    return translated(plans[part]["plan"], section)


def _settings(config: Planned) -> dict[str, Any]:
    """Settings that a plan depends on: not the report's language or the run directory."""
    values = {key: value for key, value in asdict(config).items() if key not in ("report_language", "run_dir")}
    return non_default(values, asdict(type(config)()))


def _same(old: dict[str, Any], new: dict[str, Any], default: Planned) -> bool:
    """Whether two plans depend on the same settings; older plans also stored defaults."""
    return non_default(old, asdict(default)) == new


class RunClock:
    """Time that a run has taken: this call, and the steps that earlier calls finished."""

    def __init__(self, paths: RunPaths) -> None:
        """Start with this call."""
        self._paths, self._begin = paths, time.monotonic()
        self._earlier = self._finished_steps()

    def seconds(self) -> float:
        """Seconds so far. Of a step that an earlier call had begun, its record has the whole time."""
        return max(self._earlier + time.monotonic() - self._begin, self._finished_steps())

    def _finished_steps(self) -> float:
        records = (read_step(self._paths.step(name)) for name in STEPS)
        return sum(record.seconds for record in records if record is not None)


def reserve(minutes: float, export: ExportConfig, has_baseline: bool) -> float:
    """Seconds reserved for exports, evaluation and the report.

    Each exported model is measured in processes of its own, which take a third of 20 s to start. The rest takes longer
    for bigger models, 0.28 of a short demo; from 10 minutes on the number of test sentences limits it. A demo of 4
    minutes with 3 models reserves 87 s; 103 s were measured on 2 cores. One of 6.5 minutes reserves 129 s; `make demo`
    printed 83 s for these steps (commit e5f2b18, 2 cores of an Intel Xeon), and 129 s while the same virtual machine
    was slower (commit 0bab162).
    """
    models = len(export.teacher) + len(export.student) * (1 + has_baseline)
    return min(170.0, 0.28 * minutes * 60) + 20 / 3 * models


def training_lengths(seconds: float, pace: float) -> dict[str, Any]:
    """Number of updates, their time limit, validation interval, and a matching warm-up.

    Args:
        seconds: time for the training.
        pace: seconds per update.
    """
    updates = max(_MIN_UPDATES, int(seconds * _SPARE / pace))
    return {
        "max_steps": updates,
        "max_seconds": max(1.0, round(seconds, 1)),
        "eval_steps": max(1, -(-updates // (2 if seconds < _SHORT_SECONDS else 5))),
        "warmup_steps": max(1, min(100, updates // 10)),
    }


def student_lengths(seconds: float, student: float, baseline: float = 0.0) -> dict[str, Any]:
    """Lengths for the student, which is limited to its share of the time; the baseline runs the same updates.

    Args:
        seconds: time for both.
        student: seconds of the student per update.
        baseline: the same of the baseline; 0 without one.
    """
    return training_lengths(seconds * student / (student + baseline), student)
