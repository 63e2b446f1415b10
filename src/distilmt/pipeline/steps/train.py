"""The steps that make models: corpus, tokenizer, teacher, labels, student, baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import MarianMTModel

from distilmt.config import ObjectiveConfig, RunConfig, TrainingConfig
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation.quality import tokenizer_for
from distilmt.labels.dataset import check_dropped, labelled
from distilmt.labels.ensemble import LabelJob
from distilmt.labels.rerank import choose, utility
from distilmt.labels.store import LabelStore
from distilmt.labels.writer import drawn, label
from distilmt.models.checkpoint import load_marian
from distilmt.models.initialization import copy_layers, evenly, first
from distilmt.models.presets import new_model
from distilmt.pipeline.step_directory import former_directories
from distilmt.pipeline.steps import on_policy
from distilmt.pipeline.steps.fit_model import fit
from distilmt.teachers import existing
from distilmt.training.batching import Ragged, Side, TrainingSet
from distilmt.training.trainer import Job
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step

_ONLY_REFERENCES = ObjectiveConfig(word=0.0, label=1.0, reference_share=1.0)


def prepare_corpus(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Read, clean and split the sentence pairs."""
    return prepare.prepare(config.corpus, config.seed, directory)


def train_tokenizer(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Learn subwords from the training text, or take those of a Marian directory."""
    if config.tokenizer.path:
        found = tokenizers.load(Path(config.tokenizer.path))
        found.copy_to(directory)
        return {"sizes": [len(found.source.pieces), len(found.target.pieces)], "shared": found.shared}
    corpus = directory.parent / "corpus"
    sources, targets = prepare.load(corpus, "train")["source"].to_pylist(), prepare.pairs(corpus)["target"].to_pylist()
    return tokenizers.train(sources, targets, config.tokenizer, directory, config.seed)


def make_teacher(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Train a teacher on the pairs, or point to the one that was named."""
    tokenizer = tokenizers.load(directory.parent / "tokenizer")
    if config.teacher.named:
        return existing.adopt(config.teacher, (config.corpus.source, config.corpus.target), tokenizer, directory)
    model = new_model(config.teacher.model, tokenizer, config.teacher.training.dropout, config.seed)
    data = reference_set(directory.parent / "corpus", tokenizer, config.teacher.model.max_positions)
    job = Job("teacher", data, config.teacher.training, _ONLY_REFERENCES, config.seed)
    return fit(model, job, tokenizer, config, directory)


def label_job(config: RunConfig, root: Path) -> LabelJob:
    """Who is asked, and what, in a run."""
    return LabelJob(
        teacher=root / "teacher",
        tokenizer=tokenizers.load(root / "tokenizer"),
        config=config.labels,
        source_language=config.corpus.source,
        target_language=config.corpus.target,
        wants_words=config.labels.top_k > 0,
        endpoint=config.teacher.endpoint,
        trains_on_hypotheses=config.student.objective.reference_share < 1,
    )


def write_labels(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Let the teacher speak, but for what it said before for the run's plan."""
    root, size = directory.parent, config.labels.shard_size
    flags = drawn(prepare.count(root / "corpus", "train"), config.labels.max_sentences, (config.seed, 3))
    shards = prepare.chosen(root / "corpus", "train", flags, size)
    return label(shards, int(flags.sum()), label_job(config, root), directory, _made_before(root, directory))


PLAN = "plan"
"""Directory within a run's, and what its subsets' directories begin with."""
SUBSET = "size-"


def _made_before(root: Path, directory: Path) -> list[Path]:
    """Other labels of the same run: its own, those that were moved aside, and those of its plan's subsets."""
    run = root.parent.parent if root.parent.name == PLAN else root
    places = [place / "labels" for place in (run, *sorted((run / PLAN).glob(f"{SUBSET}*")))]
    return [place for place in (*places, *former_directories(root / "labels")) if place != directory]


def choose_labels(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Choose among the teacher's hypotheses."""
    root, labels = directory.parent, config.labels
    score = utility(labels.utility, tokenizer_for(config.corpus.target))
    return choose(LabelStore(root / "labels"), labels, label_job(config, root), score, directory)


def student_job(config: RunConfig, root: Path, tokenizer: Tokenizer) -> tuple[Job, dict[str, int]]:
    """What the student learns from what the teacher said, and how many of its translations were of no use.

    Raises:
        UserError: the labels are of another tokenizer, or do not hold what the objective asks for.
    """
    student = config.student
    store = LabelStore(root / ("selection" if config.labels.selects else "labels"))
    store.require(tokenizer_fingerprint=tokenizer.fingerprint)
    if student.objective.word > 0 and not store.k:
        raise UserError(
            "student.objective.word is above 0 but the labels hold no words: set it to 0, or labels.top_k above 0"
        )
    teacher = _asked_again(config, root)
    labels = labelled(store, tokenizer, config.labels, student.model.max_positions)
    check_dropped(labels, student.objective.reference_share)
    data = TrainingSet(
        source=labels.source,
        reference=labels.reference,
        hypothesis=labels.hypothesis,
        pad=tokenizer.pad,
        reference_share=student.objective.reference_share,
        max_length=student.model.max_positions,
    )
    return Job("student", data, student.training, student.objective, config.seed, teacher), labels.dropped


def train_student(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Train the student on what the teacher said."""
    root, student = directory.parent, config.student
    tokenizer = tokenizers.load(root / "tokenizer")
    job, dropped = student_job(config, root, tokenizer)
    model = new_model(student.model, tokenizer, student.training.dropout, config.seed)
    extra: dict[str, Any] = {"hypotheses_dropped": dropped}
    if student.initialise != "random":
        choose = {"first": first, "evenly": evenly}[student.initialise]
        extra["layers_copied"] = copy_layers(load_marian(root / "teacher"), model, choose)
    if not student.on_policy.updates:
        return fit(model, job, tokenizer, config, directory) | extra
    places = [directory / "first"]
    stages = [fit(model, job, tokenizer, config, places[0])]
    for number in range(1, student.on_policy.rounds + 1):
        places.append(directory / f"round-{number}")
        asked = replace(label_job(config, root), speaker=places[-2])
        stages.append(on_policy.train_round(config, asked, places[-1], number))
    return on_policy.keep_best(directory, places, stages) | extra


def _asked_again(config: RunConfig, root: Path) -> MarianMTModel | None:
    """The teacher, where its states or its attention are learnt.

    Raises:
        UserError: the student needs more of the teacher than its labels, but it has another vocabulary.
    """
    student, outside = config.student, existing.pointer(root / "teacher")
    needs = {
        "on_policy.updates": student.on_policy.updates,
        "objective.states": student.objective.states,
        "objective.attention": student.objective.attention,
    }
    for key, value in needs.items():
        if value and outside:
            raise UserError(
                f"student.{key} is {value:g}, but teacher {outside['name']!r} has another vocabulary than the tokenizer"
                ": the student's words mean nothing to it, so set it to 0"
            )
    return load_marian(root / "teacher") if student.objective.online else None


def train_baseline(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Train the same student on the same sentences' references for the same number of updates, without the teacher."""
    root, student = directory.parent, config.student
    tokenizer = tokenizers.load(root / "tokenizer")
    data = reference_set(
        root / "corpus", tokenizer, student.model.max_positions, set(LabelStore(root / "labels").ids())
    )
    model = new_model(student.model, tokenizer, student.training.dropout, config.seed)
    training = _as_long_as(student.training, root / "student")
    return fit(model, Job("baseline", data, training, _ONLY_REFERENCES, config.seed), tokenizer, config, directory)


def _as_long_as(config: TrainingConfig, student: Path) -> TrainingConfig:
    """The student's settings, for exactly as many updates as the student made."""
    record = read_step(student)
    return replace(config, updates=record.result["updates"], seconds=None, patience=0) if record else config


def reference_set(corpus: Path, tokenizer: Tokenizer, max_length: int, ids: set[str] | None = None) -> TrainingSet:
    """The references of the corpus, or of the sentences named."""
    table = prepare.pairs(corpus)
    if ids is not None:
        table = table.filter(np.fromiter((i in ids for i in table["id"].to_pylist()), bool, table.num_rows))
    targets = Ragged.of(tokenizer.target.encode(table["target"].to_pylist()))
    return TrainingSet(
        source=Ragged.of(tokenizer.source.encode(table["source"].to_pylist())),
        reference=Side(targets, targets.lengths > 1),
        hypothesis=None,
        pad=tokenizer.pad,
        reference_share=1.0,
        max_length=max_length,
    )
