"""Final on-policy phase: the teacher scores the student's own translations.

ImitKD (Lin et al. 2020) and GKD (Agarwal et al. 2024) sample the student's output for every batch. Here the current
student translates all sentences at the start of every round, which is fast on a CPU; with more rounds its output is
more recent.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.config import LabelConfig, OnPolicyConfig, RunConfig
from distilmt.labels.dataset import load_label_dataset
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.store import LabelStore
from distilmt.labels.writer import sample_mask, write_label_store
from distilmt.losses.terms import on_policy_objective
from distilmt.models.architectures import new_model
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.steps.augmented_data import augmented
from distilmt.pipeline.steps.fit_model import RESULT, fit_model
from distilmt.training.batching import TrainingSet
from distilmt.training.checkpoint_files import BEST, CHECKPOINT
from distilmt.training.trainer import TrainingJob
from distilmt.utils.run_dir import atomic_path, read_json, write_json
from distilmt.utils.seeds import SeedStream
from distilmt.utils.step_results import ModelResult

_STAGE_FILES = ("log.json", RESULT, CHECKPOINT, BEST)


def train_rounds(config: RunConfig, job: LabelingTask, first: ModelResult, directory: Path) -> ModelResult:
    """Train every round after the first training, and keep the best of all.

    Args:
        config: the run.
        job: the teacher.
        first: result of the training whose model is in `first` below the directory.
        directory: the student's; every round has a directory below it.

    Returns:
        The sum of all stages, for the step's record.
    """
    stage_dirs, stages = [directory / "first"], [first]
    for number in range(1, config.student.on_policy.rounds + 1):
        stage_dirs.append(directory / f"round-{number}")
        round_task = replace(job, generation_model=stage_dirs[-2])
        stages.append(train_round(config, round_task, stage_dirs[-1], number))
    return keep_best(directory, stage_dirs, stages)


def train_round(config: RunConfig, job: LabelingTask, directory: Path, number: int) -> ModelResult:
    """Translate with the student, score with the teacher, and train the student on the result.

    Args:
        config: the run.
        job: the teacher, and as `generation_model` the student's model directory before the round.
        directory: directory of the labels and the new model.
        number: number of the round, from 1.

    Returns:
        The result of `fit_model`; its seconds include labeling, unless that was interrupted.
    """
    begin, student, settings = time.monotonic(), config.student, config.student.on_policy
    job = replace(job, config=_round_labels(job.config, settings), needs_top_k=True)
    _write_labels(config, job, directory / "labels", number)
    label_seconds = time.monotonic() - begin
    sources = LabelStore(directory / "labels").column
    data, augmentation = augmented(
        config, _training_set(config, job, directory / "labels"), lambda: sources("source"), job.tokenizer
    )
    training = replace(
        student.training, max_steps=settings.steps, learning_rate=settings.learning_rate, max_seconds=None, patience=0
    )
    task = TrainingJob(
        f"student, round {number}", data, training, on_policy_objective(student.objective), config.seed + number
    )
    task = replace(task, augmentation=augmentation)
    model = new_model(student.model, job.tokenizer, training.dropout, config.seed)
    model.load_state_dict(load_model(str(job.generation_model)).state_dict())
    result = fit_model(model, task, job.tokenizer, config, directory)
    return replace(result, train_seconds=round((result.train_seconds or 0.0) + label_seconds, 1))


def _round_labels(labels: LabelConfig, settings: OnPolicyConfig) -> LabelConfig:
    """One translation of the student per sentence, with the teacher's top-k on it."""
    return replace(
        labels,
        num_hypotheses=1,
        sampling_temperature=settings.sampling_temperature,
        top_k=labels.top_k or 8,
        score_on="hypothesis" if settings.student_data_fraction == 1 else "both",
    )


def _write_labels(config: RunConfig, job: LabelingTask, directory: Path, number: int) -> None:
    """Label a sample of the sentences of the run's own store."""
    store = config.paths.labels
    seed = (config.seed, number, SeedStream.ON_POLICY_SENTENCES)
    rows = sample_mask(LabelStore(store).rows, config.student.on_policy.max_sentences, seed)
    write_label_store(_sentences(store, rows, job.config.shard_size), int(rows.sum()), job, directory)


def _training_set(config: RunConfig, job: LabelingTask, directory: Path) -> TrainingSet:
    max_length = config.student.model.max_positions
    dataset = load_label_dataset(LabelStore(directory), job.tokenizer, job.config, max_length)
    return TrainingSet(
        source=dataset.source,
        reference=dataset.reference,
        hypothesis=dataset.hypothesis,
        pad=job.tokenizer.pad,
        reference_share=1 - config.student.on_policy.student_data_fraction,
        max_length=max_length,
    )


def _sentences(store: Path, rows: np.ndarray, size: int) -> Iterator[pa.Table]:
    """The sampled sentences of a store, `size` per table."""
    columns = ["id", "source", "reference"]
    tables = [table.select(columns) for table in LabelStore(store).shards(columns)]
    whole = pa.concat_tables(tables).rename_columns(["id", "source", "target"]).filter(pa.array(rows))
    for begin in range(0, whole.num_rows, size):
        yield whole.slice(begin, size)


def keep_best(directory: Path, stage_dirs: Sequence[Path], stages: Sequence[ModelResult]) -> ModelResult:
    """Copy the stage with the best validation score (the earlier of equals) to the student's directory.

    Args:
        directory: the student's.
        stage_dirs: directories of the first training and of every round.
        stages: result of `fit_model` for each.

    Returns:
        Their sum, for the step's record.
    """
    best = max(range(len(stages)), key=lambda number: stages[number].best_score or 0.0)
    for file in stage_dirs[best].iterdir():
        if file.is_file() and file.name not in _STAGE_FILES:
            with atomic_path(directory / file.name) as temporary:
                shutil.copyfile(file, temporary)
    log, updates, seconds = [], [0], 0.0
    for stage_dir, stage in zip(stage_dirs, stages, strict=True):
        lines = read_json(stage_dir / "log.json")
        log += [line | {"update": line["update"] + updates[-1], "seconds": line["seconds"] + seconds} for line in lines]
        updates.append(updates[-1] + (stage.updates or 0))
        seconds += stage.train_seconds or 0.0
    write_json(directory / "log.json", log)
    return replace(
        stages[best],
        updates=updates[-1],
        best_update=updates[best] + (stages[best].best_update or 0),
        train_seconds=round(seconds, 1),
        validation_seconds=round(sum(stage.validation_seconds or 0.0 for stage in stages), 2),
        stage=best,
    )
