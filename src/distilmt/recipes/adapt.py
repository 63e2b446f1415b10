"""`distilmt adapt`: a trained student, trained further on your own text.

It is a run whose teacher is the student as it was: the student learns the references of your text and of old text, and
stays close to its own former probabilities of them. The run directory has the steps of any run, so that its result is
translated with, served and exported like any other.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from distilmt.config import (
    ExportConfig,
    LabelConfig,
    ObjectiveConfig,
    RunConfig,
    StudentConfig,
    TeacherConfig,
    TokenizerConfig,
    TrainingConfig,
)
from distilmt.config.adapt import AdaptConfig
from distilmt.pipeline import preflight, runner
from distilmt.recipes.adapt_scores import write_scores
from distilmt.recipes.adapt_start import Start, read_start
from distilmt.recipes.adapt_text import OLD, OWN, mixed_corpus, prepare_texts
from distilmt.recipes.time_budget import RunClock, cached_plan
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

_STEPS = ("corpus", "tokenizer", "teacher", "labels")
_BATCH_TOKENS = 1024
_VALIDATIONS = 8
_PATIENCE = 5
_RESERVE = 25.0
"""Seconds for exports and scores of a student of 3 MB on 2 cores, with both test sets."""
_RESERVED_SHARE = 0.15
_MEASURING_SHARE = 0.01
"""Share of the time for measuring the training speed."""
_LEAST_UPDATES = 20


def run(config: AdaptConfig) -> Path:
    """Adapt a student, or resume an interrupted run; returns the run directory with `adaptation.json` and `.md`.

    Raises:
        UserError: an option is missing, or an input cannot be used.
    """
    _check_text(config)
    start = read_start(config)
    first = run_config(config, start)
    clock, root = RunClock(first.paths), Path(first.run_dir)
    with runner.open_run(first):
        texts = prepare_texts(config, start, root)
        second = replace(first, corpus=mixed_corpus(config, start, root, texts))
        preflight.check(second, exporting=True)
        for step in _STEPS:
            runner.execute_step(step, second)
        passes = config.epochs / texts.repeats(config.old_share)
        lengths = cached_plan(root, "student", second, lambda: training_lengths(second, config.minutes, passes, clock))
    training = replace(second.student.training, **lengths)
    final = replace(second, student=replace(second.student, training=training))
    runner.run(final, until="exports")
    write_scores(final, start.name, [OWN, OLD] if texts.old else [OWN])
    return root


def _check_text(config: AdaptConfig) -> None:
    if not config.text:
        raise UserError("no text is named: name sentence pairs of your own with --text mine.en mine.de")
    for path in (*config.text, *config.old_text):
        if not Path(path).exists():
            raise UserError(f"{path} does not exist: check text and old_text")
    if config.teacher and len(config.text) > 1:
        raise UserError(
            "teacher and two files are both given: with a teacher name one text in the source language, "
            "and without one the pairs"
        )


def run_config(config: AdaptConfig, start: Start) -> RunConfig:
    """The configuration of the run, before its texts are read and its training is measured."""
    run_dir = config.run_dir or f"runs/adapt-{'-'.join(start.pair)}"
    training = TrainingConfig(
        batch_tokens=_BATCH_TOKENS,
        learning_rate=config.learning_rate,
        eval_sentences=2 * config.held_out,
        patience=_PATIENCE,
    )
    objective = ObjectiveConfig(
        kd_weight=config.keep_weight, ce_weight=1 - config.keep_weight, reference_fraction=1.0, tail="uniform"
    )
    return RunConfig(
        run_dir=run_dir,
        seed=config.seed,
        corpus=mixed_corpus(config, start, Path(run_dir), None),
        tokenizer=TokenizerConfig(str(start.directory)),
        teacher=TeacherConfig(str(start.directory)),
        labels=LabelConfig(num_hypotheses=0, top_k=8, score_on="reference"),
        student=StudentConfig(
            start.model, pretrained=str(start.directory), objective=objective, training=training, baseline=False
        ),
        export=ExportConfig(teacher=["int8"], student=["int8"]),
    )


def training_lengths(config: RunConfig, minutes: float, passes: float, clock: RunClock) -> dict[str, Any]:
    """Updates, their time limit, the validation interval and the warm-up; the labels must be finished.

    Args:
        config: the run.
        minutes: time for the whole run.
        passes: passes over its training text, at most.
        clock: time of the run so far.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.pipeline.steps.train import student_job
    from distilmt.training.throughput import MEASURING, seconds_per_update

    student, tokenizer = config.student, tokenizers.load(config.paths.tokenizer)
    job, _ = student_job(config, config.paths, tokenizer)
    seconds = min(MEASURING, _MEASURING_SHARE * minutes * 60)
    pace = seconds_per_update(job.data, student.model, student.training, student.objective, tokenizer, seconds=seconds)
    left = minutes * 60 * (1 - _RESERVED_SHARE) - _RESERVE - clock.seconds()
    assert job.data.reference is not None
    epoch = len(job.data.reference.tokens.flat) / student.training.batch_tokens
    updates = max(_LEAST_UPDATES, min(int(left / pace), round(passes * epoch)))
    logger.info(f"student: {pace * 1000:.0f} ms per update, {updates} updates")
    return {
        "max_steps": updates,
        "max_seconds": max(5.0, round(left, 1)),
        "eval_steps": max(1, -(-updates // _VALIDATIONS)),
        "warmup_steps": max(1, updates // 10),
    }
