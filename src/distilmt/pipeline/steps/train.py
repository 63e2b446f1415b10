"""The training steps: corpus, tokenizer, teacher, labels, student, baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.config import ObjectiveConfig, RunConfig, StudentConfig, TrainingConfig
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation.quality import tokenizer_for
from distilmt.labels.dataset import check_dropped, load_label_dataset
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.rerank import rerank, utility
from distilmt.labels.row_checks import check_rows
from distilmt.labels.store import LabelStore
from distilmt.labels.writer import sample_mask, write_label_store
from distilmt.losses.terms import TEACHER_IN_MEMORY, Need, keys_that_need, needs_teacher_in_memory
from distilmt.models.architectures import new_model
from distilmt.models.base import Seq2SeqModel
from distilmt.models.checkpoint import load_model
from distilmt.models.initialization import copy_layers, copy_weights, first_layers, spaced_layers
from distilmt.pipeline.backups import backup_directories
from distilmt.pipeline.pretrained_student import initial_student, pretrained_ctc_head
from distilmt.pipeline.steps import on_policy
from distilmt.pipeline.steps.augmented_data import augmented
from distilmt.pipeline.steps.fit_model import fit_model
from distilmt.pipeline.steps.frame_inputs import training_frames
from distilmt.teachers import existing
from distilmt.teachers.few_shot import choose_examples
from distilmt.training.batching import Ragged, TargetSide, TrainingSet
from distilmt.training.trainer import TrainingJob
from distilmt.utils.errors import UserError
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.seeds import SeedStream
from distilmt.utils.step_results import (
    CorpusResult,
    LabelResult,
    ModelResult,
    SelectionResult,
    TokenizerResult,
    read_result,
)

_ONLY_REFERENCES = ObjectiveConfig(kd_weight=0.0, ce_weight=1.0, reference_fraction=1.0)


def prepare_corpus(config: RunConfig, directory: Path) -> CorpusResult:
    """Read, clean and split the sentence pairs."""
    return prepare.prepare(config.corpus, config.seed, directory)


def train_tokenizer(config: RunConfig, directory: Path) -> TokenizerResult:
    """Train a tokenizer on the training text, or copy that of a Marian directory."""
    if config.tokenizer.path:
        tokenizer = tokenizers.load(Path(config.tokenizer.path))
        tokenizer.copy_to(directory)
        return TokenizerResult([len(tokenizer.source.tokens), len(tokenizer.target.tokens)], tokenizer.shared)
    corpus = directory.parent / "corpus"
    sources, targets = (
        prepare.load_split(corpus, "train")["source"].to_pylist(),
        prepare.load_training_pairs(corpus)["target"].to_pylist(),
    )
    return tokenizers.train(sources, targets, config.tokenizer, directory, config.seed)


def make_teacher(config: RunConfig, directory: Path) -> ModelResult:
    """Train a teacher on the pairs, or import the configured one."""
    tokenizer = tokenizers.load(directory.parent / "tokenizer")
    if config.teacher.named:
        pair = (config.corpus.source, config.corpus.target)
        return existing.import_teacher(config.teacher, pair, tokenizer, directory, request_examples(config, directory))
    model = new_model(config.teacher.model, tokenizer, config.teacher.training.dropout, config.seed)
    if config.teacher.initialization:
        copy_weights(load_model(config.teacher.initialization), model)
    data = reference_set(directory.parent / "corpus", tokenizer, config.teacher.model.max_positions)
    job = TrainingJob("teacher", data, config.teacher.training, _ONLY_REFERENCES, config.seed)
    return fit_model(model, job, tokenizer, config, directory)


def request_examples(config: RunConfig, directory: Path) -> list[tuple[str, str]]:
    """Training pairs that stand before the requests to a language model; `directory` is that of a step.

    Raises:
        UserError: there are too few.
    """
    count = config.teacher.endpoint.few_shot if config.teacher.url else 0
    if not count:
        return []
    pairs = prepare.load_training_pairs(directory.parent / "corpus")
    seed = (config.seed, SeedStream.REQUEST_EXAMPLES)
    return choose_examples(pairs["source"].to_pylist(), pairs["target"].to_pylist(), count, seed)


def labeling_task(config: RunConfig, paths: RunPaths) -> LabelingTask:
    """The labeling task of a run."""
    return LabelingTask(
        teacher=paths.teacher,
        tokenizer=tokenizers.load(paths.tokenizer),
        config=config.labels,
        source_language=config.corpus.source,
        target_language=config.corpus.target,
        needs_top_k=config.labels.top_k > 0,
        endpoint=config.teacher.endpoint,
        trains_on_hypotheses=config.student.objective.reference_fraction < 1,
    )


def labeled_mask(config: RunConfig, total: int, count: int | None) -> np.ndarray:
    """Which of all training sentences are labeled: [total] bool. With a smaller `count` they are a subset."""
    return sample_mask(total, count, (config.seed, SeedStream.LABELED_SENTENCES))


def write_labels(config: RunConfig, directory: Path) -> LabelResult:
    """Label the training set, reusing labels made by `plan`."""
    paths, size = RunPaths(directory.parent), config.labels.shard_size
    flags = labeled_mask(config, prepare.count_rows(paths.corpus, "train"), config.labels.max_sentences)
    shards = prepare.iter_selected(paths.corpus, "train", flags, size)
    result = write_label_store(
        shards, int(flags.sum()), labeling_task(config, paths), directory, _earlier_label_stores(paths, directory)
    )
    check_rows(LabelStore(directory), prepare.iter_selected(paths.corpus, "train", flags, size))
    return result


def _earlier_label_stores(paths: RunPaths, directory: Path) -> list[Path]:
    """Label stores of the same run: its own, backups, and those of its plan's subsets."""
    run = paths.planned_run
    stores = [each.labels for each in (run, *run.subsets)]
    return [path for path in (*stores, *backup_directories(paths.labels)) if path != directory]


def rerank_labels(config: RunConfig, directory: Path) -> SelectionResult:
    """Rerank the teacher's hypotheses."""
    paths, labels = RunPaths(directory.parent), config.labels
    score = utility(labels.rerank_metric, tokenizer_for(config.corpus.target))
    return rerank(LabelStore(paths.labels), labels, labeling_task(config, paths), score, directory)


def student_job(config: RunConfig, paths: RunPaths, tokenizer: Tokenizer) -> tuple[TrainingJob, dict[str, int]]:
    """Training data from the labels, and the number of dropped hypotheses by reason.

    Raises:
        UserError: the labels are of another tokenizer, or lack what the loss requires.
    """
    student = config.student
    store = LabelStore(paths.selection if config.labels.selects else paths.labels)
    store.require(tokenizer_fingerprint=tokenizer.fingerprint)
    for key in keys_that_need(student.objective, frozenset([Need.TOP_K])):
        if not store.k:
            raise UserError(
                f"student.objective.{key} is not 0, but the labels have no top-k: set it to 0, or labels.top_k above 0"
            )
    teacher = _online_teacher(config, paths)
    labels = load_label_dataset(store, tokenizer, config.labels, student.model.max_positions)
    check_dropped(labels, student.objective.reference_fraction)
    data = TrainingSet(
        source=labels.source,
        reference=labels.reference,
        hypothesis=labels.hypothesis,
        pad=tokenizer.pad,
        reference_share=student.objective.reference_fraction,
        max_length=student.model.max_positions,
        frames=training_frames(config, paths, store.ids()),
    )
    data, augmentation = augmented(config, data, lambda: store.column("source"), tokenizer)
    head = pretrained_ctc_head(config)
    job = TrainingJob("student", data, student.training, student.objective, config.seed, teacher, ctc_head=head)
    return replace(job, augmentation=augmentation), labels.dropped


def train_student(config: RunConfig, directory: Path) -> ModelResult:
    """Train the student on the teacher's labels."""
    paths, student = RunPaths(directory.parent), config.student
    tokenizer = tokenizers.load(paths.tokenizer)
    job, dropped = student_job(config, paths, tokenizer)
    model, layers_copied = initial_student(config, tokenizer), None
    if student.initialization != "random":
        choose_layers = {"first": first_layers, "spaced": spaced_layers}[student.initialization]
        layers_copied = copy_layers(load_model(paths.teacher), model, choose_layers)
    if student.on_policy.steps:
        first = fit_model(model, job, tokenizer, config, directory / "first")
        result = on_policy.train_rounds(config, labeling_task(config, paths), first, directory)
    else:
        result = fit_model(model, job, tokenizer, config, directory)
    return replace(result, hypotheses_dropped=dropped, layers_copied=layers_copied)


def _online_teacher(config: RunConfig, paths: RunPaths) -> Seq2SeqModel | None:
    """The teacher, if the loss uses its hidden states or attention.

    Raises:
        UserError: the loss needs more than labels, but the teacher has another vocabulary.
    """
    student, pointer = config.student, existing.read_pointer(paths.teacher)
    keys = [f"objective.{key}" for key in keys_that_need(student.objective, TEACHER_IN_MEMORY)]
    keys += ["on_policy.steps"] if student.on_policy.steps else []
    if keys and pointer:
        raise UserError(
            f"student.{keys[0]} is not 0, but teacher {pointer['name']!r} has another vocabulary than the tokenizer: "
            "set it to 0"
        )
    return load_model(paths.teacher) if needs_teacher_in_memory(student.objective) else None


def train_baseline(config: RunConfig, directory: Path) -> ModelResult:
    """Train the same student on the same sentences' references for the same number of updates, without the teacher.

    It starts from the same weights as the student, unless those are the teacher's layers.
    """
    paths, student = RunPaths(directory.parent), config.student
    tokenizer = tokenizers.load(paths.tokenizer)
    table = _references(paths.corpus, set(LabelStore(paths.labels).ids()))
    data = replace(
        _reference_set(table, tokenizer, student.model.max_positions),
        frames=training_frames(config, paths, table["id"].to_pylist()),
    )
    data, augmentation = augmented(config, data, table["source"].to_pylist, tokenizer)
    training = with_student_updates(student.training, paths.student)
    objective = baseline_objective(student)
    job = TrainingJob("baseline", data, training, objective, config.seed, ctc_head=pretrained_ctc_head(config))
    job = replace(job, augmentation=augmentation)
    return fit_model(initial_student(config, tokenizer), job, tokenizer, config, directory)


def baseline_objective(student: StudentConfig) -> ObjectiveConfig:
    """What of the student's objective needs no teacher: the references, and the characters of pictures or speech."""
    return replace(_ONLY_REFERENCES, ctc_weight=student.objective.ctc_weight)


def with_student_updates(config: TrainingConfig, student: Path) -> TrainingConfig:
    """The student's settings, with exactly as many updates as the student."""
    updates = read_result(ModelResult, student).updates
    return config if updates is None else replace(config, max_steps=updates, max_seconds=None, patience=0)


def reference_set(corpus: Path, tokenizer: Tokenizer, max_length: int) -> TrainingSet:
    """The references of the corpus."""
    return _reference_set(_references(corpus), tokenizer, max_length)


def _references(corpus: Path, ids: set[str] | None = None) -> pa.Table:
    """The pairs of the corpus, or those of the given sentences."""
    table = prepare.load_training_pairs(corpus)
    if ids is None:
        return table
    return table.filter(np.fromiter((i in ids for i in table["id"].to_pylist()), bool, table.num_rows))


def _reference_set(table: pa.Table, tokenizer: Tokenizer, max_length: int) -> TrainingSet:
    targets = Ragged.of(tokenizer.target.encode(table["target"].to_pylist()))
    return TrainingSet(
        source=Ragged.of(tokenizer.source.encode(table["source"].to_pylist())),
        reference=TargetSide(targets, targets.lengths > 1),
        hypothesis=None,
        pad=tokenizer.pad,
        reference_share=1.0,
        max_length=max_length,
    )
