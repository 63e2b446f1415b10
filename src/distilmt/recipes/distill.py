"""`distilmt distill`: a student of your own teacher on your own text, within a number of minutes.

The teacher's speed is measured first: it determines how many sentences it translates. After the labels the training
speed is measured: the remaining time determines the number of updates. Both decisions are stored in `plan.json`, so
that an interrupted run resumes with the same plan. The run's `config.yaml` has the whole configuration.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from distilmt.config import (
    CorpusConfig,
    EvaluationConfig,
    LabelConfig,
    ObjectiveConfig,
    RunConfig,
    StudentConfig,
    TeacherConfig,
    TokenizerConfig,
    TrainingConfig,
)
from distilmt.config.distill import DistillConfig
from distilmt.data.readers.files import read_lines, read_pairs
from distilmt.pipeline import preflight, runner
from distilmt.recipes.demo_recipe import has_tokenizer, scale_for
from distilmt.recipes.student_plan import lengths_after_labels
from distilmt.recipes.time_budget import NO_TEACHER, STEPS, RunClock, cached_plan
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

_MEASURED_SENTENCES = 64
# Shares of the whole time for what the teacher translates.
_TEST_SHARE, _VALID_SHARE, _VOCABULARY_SHARE = 0.05, 0.03, 0.05
_LABEL_SHARE, _SPEED_SHARE, _CHALLENGE_SHARE = 0.35, 0.02, 0.002
_TOP_K_COST = 2.0
"""Time of a label with token probabilities, relative to its translation alone."""


@dataclass(frozen=True)
class TeacherSizes:
    """How many sentences the teacher translates, by use."""

    test: int
    valid: int
    vocabulary: int
    """Sentences whose translations train the student's vocabulary."""
    labels: int
    speed: int
    challenges: int
    """Inputs per challenge set."""


def run(config: DistillConfig) -> Path:
    """Distill a student, or resume an interrupted run; returns the run directory.

    Raises:
        UserError: an option is missing, or an input cannot be used.
    """
    first = first_config(config)
    clock = RunClock(first.paths)
    _check_files(config)
    sentences = _measured_sentences(first)  # a text that cannot be read is reported before the teacher is loaded
    root = Path(first.run_dir)
    preflight.check(first, exporting=True)
    with runner.open_run(first, whole=False):
        sizes = cached_plan(root, "teacher", config, lambda: asdict(_teacher_sizes(config, first, sentences)))
        second = with_sizes(first, TeacherSizes(**sizes))
        for step in STEPS:
            if step != "references" or not second.corpus.bilingual:
                runner.execute_step(step, second)
        lengths = cached_plan(
            root, "student", second, lambda: {"training": lengths_after_labels(second, config.minutes, clock)}
        )
    training = replace(second.student.training, **lengths["training"])
    return runner.run(replace(second, student=replace(second.student, training=training)))


def _check_files(config: DistillConfig) -> None:
    for key in ("text", "train", "valid", "test"):
        for path in getattr(config, key):
            if not Path(path).exists():
                raise UserError(f"{path} does not exist: check {key}")


def first_config(config: DistillConfig) -> RunConfig:
    """The configuration before the measurements.

    Raises:
        UserError: teacher, pair or text is missing.
    """
    source, _, target = config.pair.partition("-")
    if not config.pair:
        raise UserError("no language pair is named: write it like en-it, the source first")
    if not source or not target:
        raise UserError(f"pair is {config.pair!r}: write the language pair like en-it, the source first")
    if not config.teacher:
        raise UserError("no teacher is named: name a model directory, or a model of the Hugging Face hub")
    if not (config.text or config.train):
        raise UserError("no text is named: name text files in the source language, or sentence pairs with train")
    scale, bilingual = scale_for(config.minutes), bool(config.train)
    tokenizer = config.teacher if has_tokenizer(config.teacher) else None
    training = TrainingConfig(batch_tokens=scale.batch_tokens, patience=0, dropout=0.0)
    return RunConfig(
        run_dir=config.run_dir or f"runs/distill-{config.pair}",
        seed=config.seed,
        report_language=config.report_language,
        corpus=CorpusConfig(source, target, config.train, config.valid, config.test, config.text),
        tokenizer=TokenizerConfig(tokenizer, vocab_size=scale.vocab, input_sentence_size=100_000),
        teacher=TeacherConfig(config.teacher),
        labels=_labels(bilingual, has_top_k=tokenizer is not None),
        student=StudentConfig(
            scale.student,
            objective=_objective(bilingual, has_top_k=tokenizer is not None),
            training=training,
            baseline=bilingual,
        ),
        evaluation=EvaluationConfig(),
    )


def _labels(bilingual: bool, has_top_k: bool) -> LabelConfig:
    return LabelConfig(
        beam_size=2, top_k=8 if has_top_k else 0, score_on="both" if bilingual and has_top_k else "hypothesis"
    )


def _objective(bilingual: bool, has_top_k: bool) -> ObjectiveConfig:
    """Half of the sentences are trained on their reference, if they have one."""
    objective = ObjectiveConfig(kd_weight=0.5, ce_weight=0.5) if has_top_k else NO_TEACHER
    return replace(objective, reference_fraction=0.5 if bilingual else 0.0)


def sizes_for(minutes: float, pace: float, config: RunConfig) -> TeacherSizes:
    """Numbers of sentences that take their shares of the time.

    Args:
        minutes: the whole time.
        pace: seconds of the teacher per sentence.
        config: the run.
    """

    def sentences(share: float, least: int, most: int) -> int:
        return max(least, min(most, round(share * minutes * 60 / pace)))

    cost = _TOP_K_COST if config.labels.top_k else 1.0
    needs_vocabulary = not config.corpus.bilingual and config.tokenizer.path is None
    return TeacherSizes(
        test=sentences(_TEST_SHARE, 60, scale_for(minutes).test),
        valid=sentences(_VALID_SHARE, 40, 500),
        vocabulary=sentences(_VOCABULARY_SHARE, 500, 20_000) if needs_vocabulary else 500,
        labels=sentences(_LABEL_SHARE / cost, 500, 10**9),
        speed=sentences(_SPEED_SHARE, 8, 100),
        challenges=sentences(_CHALLENGE_SHARE, 4, 40),
    )


def with_sizes(config: RunConfig, sizes: TeacherSizes) -> RunConfig:
    """The configuration with the numbers of sentences that the teacher translates."""
    tokenizer = config.tokenizer
    if not config.corpus.bilingual:  # the teacher translates the sentences that train the vocabulary
        tokenizer = replace(tokenizer, input_sentence_size=sizes.vocabulary)
    return replace(
        config,
        corpus=replace(config.corpus, valid_size=sizes.valid, test_size=sizes.test),
        tokenizer=tokenizer,
        labels=replace(config.labels, max_sentences=sizes.labels),
        evaluation=replace(config.evaluation, benchmark_sentences=sizes.speed, challenge_cases=sizes.challenges),
    )


def _measured_sentences(config: RunConfig) -> list[str]:
    """The first sentences of the text.

    Raises:
        UserError: there are none, or a file cannot be read.
    """
    sentences = list(islice(_source_sentences(config), _MEASURED_SENTENCES))
    if not sentences:
        raise UserError("the text has no sentences: name files with one sentence per line")
    return sentences


def _teacher_sizes(config: DistillConfig, first: RunConfig, sentences: list[str]) -> TeacherSizes:
    pace = _teacher_pace(first, sentences)
    sizes = sizes_for(config.minutes, pace, first)
    logger.info(f"teacher: {1 / pace:.1f} sentences/s on this machine; it labels at most {sizes.labels:,}")
    return sizes


def _teacher_pace(config: RunConfig, sentences: list[str]) -> float:
    """Seconds per sentence of the teacher, on some sentences of the text.

    Raises:
        UserError: the teacher cannot be loaded or used.
    """
    from distilmt.labels.ensemble import TeacherEnsemble
    from distilmt.pipeline.steps.references import translation_task
    from distilmt.teachers import existing

    with tempfile.TemporaryDirectory(dir=config.run_dir) as directory:
        existing.write_pointer(config.teacher, (config.corpus.source, config.corpus.target), Path(directory))
        ensemble = TeacherEnsemble(translation_task(config, Path(directory)), Path(directory) / "model")
        ensemble.translate(sentences[:8])
        begin = time.monotonic()
        ensemble.translate(sentences)
        return (time.monotonic() - begin) / len(sentences)


def _source_sentences(config: RunConfig) -> Iterable[str]:
    corpus = config.corpus
    for path in corpus.monolingual:
        yield from (pair.source for pair in read_lines(path) if pair.source.strip())
    if corpus.train:
        yield from (pair.source for pair in read_pairs(corpus.train, corpus.source, corpus.target))
