"""What the steps of a run have to do: counted from its configuration and its text, before or after it ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from distilmt.config import LabelConfig, ObjectiveConfig, RunConfig, TrainingConfig
from distilmt.labels.store import MANIFEST, LabelStore
from distilmt.models.device import pick_device, pick_dtype
from distilmt.planning import sizes
from distilmt.planning.corpus_statistics import Text
from distilmt.planning.model_counts import BACKWARD, Dims, Load, Macs, decoding, forward, parameters, per_token
from distilmt.utils.run_dir import read_json, read_step

Drivers = dict[str, float]
_SCORED_TOKENS = 3000


@dataclass
class Work:
    """One step's."""

    name: str
    parameters: int | None = None
    """Of the model that is trained or asked; None for one whose shape is not known."""
    macs_per_token: dict[str, dict[str, float]] | None = None
    """Multiply-adds of a forward pass, a source token (encoder) and a target token (decoder)."""
    flops: float | None = None
    """Floating-point operations of all matrix products of the step."""
    drivers: dict[str, Drivers] = field(default_factory=dict)
    """What its time grows with, for each kind of work in it: see `cost.fit.KINDS`."""
    memory: float | None = None
    """Bytes of its tensors."""
    bytes: dict[str, float] = field(default_factory=dict)
    """What it writes: `kept` in the end, `passing` what is removed when it is done."""


@dataclass(frozen=True)
class Facts:
    """What is known of a run only when it ran; None stands for what the configuration says."""

    updates: Mapping[str, int] = field(default_factory=dict)
    """Of a training by its step's name."""
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Of a training's validation translations, by that of their references: a beginner talks on."""
    hypothesis_tokens: float | None = None
    """Tokens the teacher said in all."""


def of_run(config: RunConfig, text: Text, facts: Facts | None = None) -> list[Work]:
    """Teacher, labels, student, baseline and exports of a run, in this order.

    Args:
        config: the run.
        text: what is trained on and labelled.
        facts: of a run that was done; without them what the configuration asks for is counted.
    """
    facts = facts or Facts()
    teacher = teacher_dims(config, text)
    student = Dims.of(config.student.model, text.vocabulary, text.shared)
    labels = _labelling(config, text, teacher, facts)
    found = [_teacher(config, text, teacher, facts), labels, _student(config, text, student, teacher, facts)]
    if config.student.baseline:
        objective = ObjectiveConfig(word=0.0, label=1.0)
        updates = facts.updates.get("baseline", config.student.all_updates)
        training = replace(config.student.training, updates=updates)
        found.append(_training("baseline", training, objective, text, student, facts))
    return [*found, _exports(config, text, teacher, student)]


def teacher_dims(config: RunConfig, text: Text) -> Dims | None:
    """The teacher's, trained here or a Marian directory; None for one of another make."""
    if not config.teacher.named:
        return Dims.of(config.teacher.model, text.vocabulary, text.shared)
    found = Dims.read(Path(config.run_dir) / "teacher")
    return found or (Dims.read(Path(config.teacher.path)) if config.teacher.path else None)


def _teacher(config: RunConfig, text: Text, dims: Dims | None, facts: Facts) -> Work:
    training = config.teacher.training
    if not config.teacher.named:
        assert dims is not None
        made = replace(training, updates=facts.updates.get("teacher", training.updates))
        return _training("teacher", made, ObjectiveConfig(word=0.0, label=1.0), text, dims, facts)
    if dims is None:
        return Work("teacher")
    kept = {"kept": float(sizes.model(dims) + text.tokenizer_bytes)}
    return Work("teacher", parameters(dims), per_token(dims, text.plain()), 0.0, bytes=kept)


def _training(
    name: str,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    text: Text,
    dims: Dims,
    facts: Facts,
    teacher: Dims | None = None,
) -> Work:
    """A training of so many updates; `teacher` is in memory where the objective asks for its states."""
    load, _ = text.batches(training.batch_tokens, dims.positions)
    passes = forward(dims, load)
    # R-Drop: a second pass, and both passes' logits once more for what is between them.
    twice = 2 if objective.consistency else 1
    layers = 2 * (1 + BACKWARD) * twice * passes.layers
    vocabulary = 2 * (1 + BACKWARD) * twice**2 * passes.vocabulary
    asked = 2 * forward(teacher, load).layers if teacher is not None and objective.online else 0.0
    updates, whole = training.updates, parameters(dims)
    drivers = {
        "training": {
            "starts": 1.0,
            "pairs": float(text.pairs),
            "updates": float(updates),
            "layer FLOPs": updates * (layers + asked),
            "vocabulary FLOPs": updates * vocabulary,
        },
        "validation": _validation(training, text, dims, facts.lengths.get(name, 1.0)),
    }
    memory = sizes.training_memory(dims, load, training, _width(training.precision))
    return Work(
        name,
        whole,
        per_token(dims, text.plain()),
        updates * (layers + asked + vocabulary),
        drivers,
        memory + text.pairs * 8.0 * sum(text.tokens()),
        {
            "kept": sizes.model(dims) + text.tokenizer_bytes,
            "passing": sizes.checkpoint(dims, training) + sizes.best(dims) + sizes.export(dims, "float32"),
        },
    )


def _width(precision: str) -> int:
    """Bytes of a number as models compute here."""
    return 2 if pick_dtype(precision, pick_device()) is torch.bfloat16 else 4


def _validation(training: TrainingConfig, text: Text, dims: Dims, longer: float) -> Drivers:
    count = math.ceil(training.updates / training.validate_every)
    load = _spoken(text.plain() * (count * training.validate_sentences), longer)
    greedy = decoding(dims, load, 1)
    return {"validations": float(count), "FLOPs": 2 * greedy.total, "words": load.target * dims.decoder_layers}


def _student(config: RunConfig, text: Text, dims: Dims, teacher: Dims | None, facts: Facts) -> Work:
    student, policy = config.student, config.student.on_policy
    training = replace(student.training, updates=facts.updates.get("student", student.all_updates))
    labelled = replace(text, pairs=_labelled(config, text))
    work = _training("student", training, student.objective, labelled, dims, facts, teacher)
    if policy.updates and teacher is not None:
        labels = replace(config.labels, hypotheses=1, sampling=policy.sampling, top_k=config.labels.top_k or 8)
        sentences = policy.rounds * min(policy.sentences or labelled.pairs, labelled.pairs)
        asked = _asking(labels, text, dims, sentences, None) | _scoring(labels, text, teacher, sentences)
        work.drivers["labelling"] = {"starts": float(policy.rounds)} | asked
        work.flops = (work.flops or 0.0) + asked["decoding FLOPs"] + asked["scoring FLOPs"]
    return work


def _labelled(config: RunConfig, text: Text) -> int:
    return min(config.labels.max_sentences or text.pairs, text.pairs)


def _labelling(config: RunConfig, text: Text, dims: Dims | None, facts: Facts) -> Work:
    """The teacher's translations, and its words after them or after the references."""
    labels, sentences = config.labels, _labelled(config, text)
    if dims is None:
        return Work("labels")
    asked = _asking(labels, text, dims, sentences, facts.hypothesis_tokens) | _scoring(labels, text, dims, sentences)
    teachers = 1 + len(labels.ensemble)
    drivers = {"labelling": {"starts": 1.0} | {name: teachers * value for name, value in asked.items()}}
    row = text.row_bytes(labels.hypotheses * teachers, labels.score_on != "hypothesis" and labels.top_k > 0)
    store = sentences * (row + sizes.words(labels, text.vocabulary, text.tokens()[1]))
    spoken = sizes.export(dims, labels.compute_type) + text.processor_bytes if labels.hypotheses else 0
    return Work(
        "labels",
        parameters(dims),
        per_token(dims, text.plain()),
        teachers * (asked["decoding FLOPs"] + asked["scoring FLOPs"]),
        drivers,
        sizes.labelling_memory(dims, text.plain(), labels, _width("auto")),
        {"kept": store + teachers * spoken},
    )


def _asking(labels: LabelConfig, text: Text, dims: Dims, sentences: int, said: float | None) -> Drivers:
    """Beam search over sentences; `said` tokens in all, or as many as the references have."""
    if not labels.hypotheses:
        return {"decoding FLOPs": 0.0, "words": 0.0}
    beam = 1 if labels.sampling else max(labels.beam_size, labels.hypotheses)
    load = text.plain() * sentences
    longer = said / labels.hypotheses / load.target if said else 1.0
    load = _spoken(load, longer)
    found: Macs = decoding(dims, load, beam)
    return {"decoding FLOPs": 2 * found.total, "words": beam * load.target * dims.decoder_layers}


def _spoken(load: Load, longer: float) -> Load:
    """The same with targets so many times as long."""
    return Load(load.source, load.target * longer, load.within, load.causal * longer**2, load.across * longer)


def _scoring(labels: LabelConfig, text: Text, dims: Dims, sentences: int) -> Drivers:
    """The teacher's words, teacher-forced, after its own or the references' or both."""
    if not labels.top_k:
        return {"scoring FLOPs": 0.0}
    times = (labels.score_on != "reference") + (labels.score_on != "hypothesis")
    load, together = text.batches(_SCORED_TOKENS, dims.positions)
    return {"scoring FLOPs": 2 * times * forward(dims, load).total * sentences / together}


def _exports(config: RunConfig, text: Text, teacher: Dims | None, student: Dims) -> Work:
    """CTranslate2's; other forms of the student are not counted."""
    models: list[tuple[Dims, str]] = [(teacher, kind) for kind in config.export.teacher] if teacher else []
    models += [(student, kind) for kind in config.export.student for _ in range(1 + config.student.baseline)]
    kept = sum(sizes.export(dims, kind) + text.processor_bytes for dims, kind in models)
    return Work("exports", bytes={"kept": float(kept)})


def found_in(root: Path) -> Facts:
    """Updates and spoken tokens of a run that was done, as far as it was."""
    steps: dict[str, Any] = {name: read_step(root / name) for name in ("teacher", "student", "baseline")}
    updates = {name: int(r.result["updates"]) for name, r in steps.items() if r is not None and "updates" in r.result}
    lengths = {name: found for name in steps if (found := _length(root / name)) is not None}
    said = None
    if read_step(root / "labels") is not None and (root / "labels" / MANIFEST).exists():
        said = float(LabelStore(root / "labels").spoken()) or None
    return Facts(updates, lengths, said)


def _length(directory: Path) -> float | None:
    """Mean length of the translations that validated a training; None where its log does not tell."""
    path = directory / "log.json"
    lines = read_json(path) if path.exists() else []
    found = [line["length"] for line in lines if "length" in line]
    return sum(found) / len(found) if found else None
