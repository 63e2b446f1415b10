"""How long a student is trained: measured on its own labels, within the time that is left after them."""

from __future__ import annotations

import logging
from typing import Any

from distilmt.config import RunConfig
from distilmt.recipes.time_budget import RunClock, reserve, student_lengths

logger = logging.getLogger(__name__)

_MEASURING_SHARE = 0.01
"""Share of the time for measuring the training speed of one objective."""
_LEAST_SECONDS = 5.0


def lengths_after_labels(config: RunConfig, minutes: float, clock: RunClock) -> dict[str, Any]:
    """Training lengths of student and baseline; the labels must be finished.

    Args:
        config: the run.
        minutes: time for the whole run.
        clock: time of the run so far.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.pipeline.steps.train import baseline_objective, student_job
    from distilmt.training.throughput import MEASURING, seconds_per_update

    paths, student = config.paths, config.student
    tokenizer = tokenizers.load(paths.tokenizer)
    job, _ = student_job(config, paths, tokenizer)
    objectives = [student.objective, *([baseline_objective(student)] if student.baseline else [])]
    reserved = reserve(minutes, config.export, student.baseline)
    limit = min(MEASURING, max(0.5, _MEASURING_SHARE * (minutes * 60 - reserved)))
    paces = [
        seconds_per_update(job.data, student.model, student.training, each, tokenizer, seconds=limit)
        for each in objectives
    ]
    logger.info(f"student: {paces[0] * 1000:.0f} ms per update")
    left = minutes * 60 - reserved - clock.seconds()
    lengths = student_lengths(max(_LEAST_SECONDS, left), *paces)
    training = max(left, lengths["max_steps"] * sum(paces) if left < _LEAST_SECONDS else 0.0)
    _announce(minutes, (clock.seconds() + training + reserved) / 60)
    return lengths


def _announce(minutes: float, expected: float) -> None:
    """Log that a run takes longer than its time, if it does: evaluation and a least training do not get shorter."""
    if expected > 1.1 * minutes:
        logger.warning(
            f"the whole run takes about {expected:.1f} minutes instead of {minutes:g}: start, labels and evaluation "
            "leave no time for the training"
        )
