"""How long a student is trained: measured on its own labels, within the time that is left after them."""

from __future__ import annotations

import logging
import time
from typing import Any

from distilmt.config import RunConfig
from distilmt.recipes.time_budget import elapsed_seconds, student_lengths

logger = logging.getLogger(__name__)

STEPS = ("corpus", "references", "tokenizer", "teacher", "labels")
"""Steps before the training of the student."""
_MEASURING_SHARE = 0.01
"""Share of the time for measuring the training speed of one objective."""
_LEAST_SECONDS = 5.0


def lengths_after_labels(config: RunConfig, seconds: float) -> dict[str, Any]:
    """Training lengths of student and baseline; the labels must be finished.

    Args:
        config: the run.
        seconds: time for the steps up to the baseline; those before the student count as they were measured.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.pipeline.steps.train import baseline_objective, student_job
    from distilmt.training.throughput import MEASURING, seconds_per_update

    paths, student, begin = config.paths, config.student, time.monotonic()
    tokenizer = tokenizers.load(paths.tokenizer)
    job, _ = student_job(config, paths, tokenizer)
    objectives = [student.objective, *([baseline_objective(student)] if student.baseline else [])]
    limit = min(MEASURING, max(0.5, _MEASURING_SHARE * seconds))
    paces = [
        seconds_per_update(job.data, student.model, student.training, each, tokenizer, seconds=limit)
        for each in objectives
    ]
    logger.info(f"student: {paces[0] * 1000:.0f} ms per update")
    left = seconds - elapsed_seconds(paths, *STEPS) - (time.monotonic() - begin)
    return student_lengths(max(_LEAST_SECONDS, left), *paces)
