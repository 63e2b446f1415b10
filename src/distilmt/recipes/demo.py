"""`distilmt demo`: one setting, minutes, determines models and updates.

English-Italian has a teacher that is installed with distilmt; other pairs and own text train one first, unless
`--teacher` names one. The machine is measured twice: before a teacher is trained (training speed) and after it
(decoding speed of the teacher). The decisions are stored in `plan.json`, so that an interrupted demo resumes with the
same plan.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distilmt.config import (
    CorpusConfig,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    StudentConfig,
    TeacherConfig,
    TokenizerConfig,
    TrainingConfig,
)
from distilmt.config.commands import DemoConfig
from distilmt.pipeline import preflight, runner
from distilmt.recipes import demo_images, demo_speech
from distilmt.recipes.demo_recipe import (
    dataset,
    has_tokenizer,
    minutes,
    recipe_for,
    scale_for,
    student_for,
    teacher_path,
)
from distilmt.recipes.student_plan import lengths_after_labels
from distilmt.recipes.time_budget import (
    NO_TEACHER,
    RunClock,
    cached_plan,
    reserve,
    training_lengths,
)
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import CorpusResult, result_of

logger = logging.getLogger(__name__)

# Shares of the time left after the corpus (teacher) and after the teacher (labels). A student gains nothing from a
# teacher that is hardly better; with little time, a student stays far behind its teacher.
_TEACHER_SHARE, _LABEL_SHARE = 0.42, 0.25
_LABEL_SHARES = {"images": demo_images.LABEL_SHARE, "speech": demo_speech.LABEL_SHARE}
"""Shares of tasks whose students perceive what is rendered of the text."""
_PACE_SENTENCES = 400
"""Sentences that the decoding speed of the teacher is measured on: some seconds."""
# With fewer updates a deep teacher remains undertrained: one with this many layers and batches of this many tokens gets
# further.
_ENOUGH_UPDATES, _SHALLOW, _SMALL_BATCH = 800, 3, 1024


def run(config: DemoConfig) -> Path:
    """Run the demo, or resume it."""
    config = replace(config, minutes=minutes(config))
    root = Path(default_directory(config) if config.run_dir is None else config.run_dir)
    first, clock = first_plan(config, root), RunClock(RunPaths(root))
    preflight.check(first, exporting=True)
    with runner.open_run(first, whole=False):
        pass  # a second demo in the same directory is rejected before any measurement
    for step in ("corpus", "tokenizer"):
        _run_step(step, first)
    plan = cached_plan(root, "teacher", config, lambda: plan_teacher(config, first, root, clock))
    second = with_teacher(first, plan)
    _run_step("teacher", second)
    plan = cached_plan(root, "labels", second, lambda: {"max_sentences": _label_count(config, second, root, clock)})
    third = replace(second, labels=replace(second.labels, **plan))
    _run_step("labels", third)
    plan = cached_plan(
        root, "student", third, lambda: {"training": lengths_after_labels(third, minutes(config), clock)}
    )
    training = replace(third.student.training, **plan["training"])
    return runner.run(replace(third, student=replace(third.student, training=training)))


def default_directory(config: DemoConfig) -> str:
    """The run directory if none is named."""
    if config.task in _LABEL_SHARES:
        return f"runs/demo-{config.task}"
    return "runs/demo" if config.pair == "en-it" and not config.train else f"runs/demo-{config.pair}"


def first_plan(config: DemoConfig, root: Path) -> RunConfig:
    """The configuration before the measurements."""
    source, _, target = config.pair.partition("-")
    if not source or not target:
        raise UserError(f"--pair {config.pair!r} is not a language pair: write it like en-it")
    if minutes(config) < 2:
        raise UserError(f"--minutes {minutes(config):g} is too short to train a model: set it to at least 2")
    scale, teacher = scale_for(minutes(config)), teacher_path(config)
    corpus = CorpusConfig(source, target, config.train, config.valid, config.test, test_size=scale.test)
    if not config.train:
        corpus.dataset = dataset(config)
    training = TrainingConfig(batch_tokens=scale.batch_tokens, patience=0)
    # A Marian directory provides its vocabulary, which allows top-k targets; any other teacher only translates.
    tokenizer_directory = teacher if has_tokenizer(teacher) else None
    has_top_k = teacher is None or tokenizer_directory is not None
    recipe = recipe_for(teacher)
    run_config = RunConfig(
        run_dir=str(root),
        seed=config.seed,
        report_language=config.report_language,
        corpus=corpus,
        tokenizer=TokenizerConfig(tokenizer_directory, vocab_size=scale.vocab, input_sentence_size=100_000),
        teacher=TeacherConfig(teacher, model=scale.teacher, training=replace(training, dropout=0.1)),
        labels=replace(recipe.labels, top_k=recipe.labels.top_k if has_top_k else 0),
        student=StudentConfig(
            student_for(teacher, minutes(config)),
            initialization=recipe.initialization,
            objective=recipe.objective if has_top_k else NO_TEACHER,
            training=replace(training, dropout=0.0),
        ),
        export=recipe.export,
        evaluation=EvaluationConfig(
            student_beam_size=recipe.student_beam_size, benchmark_sentences=40 if minutes(config) < 10 else 100
        ),
    )
    if config.task == "images":
        return demo_images.with_pictures(run_config, minutes(config))
    return demo_speech.with_speech(run_config, minutes(config)) if config.task == "speech" else run_config


def _run_step(step: str, config: RunConfig) -> None:
    with runner.open_run(config, whole=False):
        runner.execute_step(step, config)


def plan_teacher(config: DemoConfig, run_config: RunConfig, root: Path, clock: RunClock) -> dict[str, Any]:
    """The teacher's training length, and fewer layers on a slow machine; empty for a teacher that exists."""
    if run_config.teacher.path:
        return {}
    text, shallow = EncodedPairs.of(run_config, root), {}
    plan = _teacher_lengths(config, run_config, text, clock)
    if plan["max_steps"] < _ENOUGH_UPDATES and (run_config.teacher.model.encoder_layers or 0) > _SHALLOW:
        shallow = {"layers": _SHALLOW, "batch_tokens": _SMALL_BATCH}
        logger.info(f"teacher: too few updates for so many layers, using {_SHALLOW}")
        plan = _teacher_lengths(config, with_teacher(run_config, shallow), text, clock)
    return plan | shallow


def _teacher_lengths(config: DemoConfig, run_config: RunConfig, text: EncodedPairs, clock: RunClock) -> dict[str, Any]:
    """Training length of the teacher within its share of the time that is left."""
    teacher = run_config.teacher
    pace = text.pace(teacher.model, teacher.training)
    logger.info(f"teacher: {pace * 1000:.0f} ms per update on this machine")
    lengths = training_lengths(_TEACHER_SHARE * _seconds_left(config, run_config, clock), pace)
    passes = lengths["max_steps"] * teacher.training.batch_tokens / max(1, text.tokens)
    # With one or two epochs there is no overfitting.
    return lengths | {"dropout": 0.1 if passes > 2 else 0.0}


def with_teacher(config: RunConfig, plan: dict[str, Any]) -> RunConfig:
    """The configuration with the planned teacher."""
    teacher, layers = config.teacher, plan.get("layers")
    model = replace(teacher.model, encoder_layers=layers, decoder_layers=layers) if layers else teacher.model
    training = replace(teacher.training, **{key: value for key, value in plan.items() if key != "layers"})
    return replace(config, teacher=replace(teacher, model=model, training=training))


@dataclass
class EncodedPairs:
    """The run's training pairs, encoded once for all measurements."""

    tokenizer: Any
    data: Any

    @classmethod
    def of(cls, config: RunConfig, root: Path) -> EncodedPairs:
        """The training pairs of the run in `root`."""
        from distilmt.data import tokenizer as tokenizers
        from distilmt.pipeline.steps.train import reference_set

        tokenizer = tokenizers.load(root / "tokenizer")
        data = reference_set(root / "corpus", tokenizer, config.student.model.max_positions)
        return cls(tokenizer, data)

    @property
    def tokens(self) -> int:
        """Target tokens of one epoch."""
        return len(self.data.reference.tokens.flat)

    def pace(self, model: ModelConfig, training: TrainingConfig) -> float:
        """Seconds per update of a model on the references."""
        from distilmt.training.throughput import seconds_per_update

        return seconds_per_update(self.data, model, training, NO_TEACHER, self.tokenizer)


def _seconds_left(config: DemoConfig, run_config: RunConfig, clock: RunClock) -> float:
    """Seconds for labels and trainings."""
    limit = minutes(config)
    return limit * 60 - reserve(limit, run_config.export, run_config.student.baseline) - clock.seconds()


def _label_count(config: DemoConfig, run_config: RunConfig, root: Path, clock: RunClock) -> int:
    """Sentences that the teacher labels in its share of the time."""
    pace = _label_pace(run_config, root)
    logger.info(f"labels: {1 / pace:.0f} sentences/s")
    left = max(15.0, _seconds_left(config, run_config, clock))
    sentences = result_of(CorpusResult, read_step(root / "corpus")).train
    share = _LABEL_SHARES.get(config.task, _LABEL_SHARE)
    return min(max(500, int(share * left / pace)), sentences)


def _label_pace(config: RunConfig, root: Path) -> float:
    """Seconds per sentence of the teacher."""
    from distilmt.data import prepare
    from distilmt.labels.writer import seconds_per_sentence
    from distilmt.pipeline.steps.train import labeling_task

    table = prepare.load_split(root / "corpus", "train")
    rows = np.random.default_rng(config.seed).permutation(table.num_rows)[:_PACE_SENTENCES]
    with tempfile.TemporaryDirectory(dir=root) as directory:
        return seconds_per_sentence(table.take(rows), labeling_task(config, config.paths), Path(directory))
