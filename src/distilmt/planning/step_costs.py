"""Work of the steps of a run, counted from its configuration and text, before or after the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from distilmt.config import LabelConfig, ObjectiveConfig, RunConfig, TrainingConfig
from distilmt.labels.ensemble import decoding_options
from distilmt.labels.manifest import MANIFEST
from distilmt.labels.store import LabelStore
from distilmt.losses.terms import Need, active_terms, needs, needs_teacher_in_memory
from distilmt.models.device import pick_device, pick_dtype
from distilmt.planning import sizes
from distilmt.planning.corpus_statistics import CorpusStatistics
from distilmt.planning.model_counts import (
    BACKWARD,
    Macs,
    ModelDims,
    TokenCounts,
    decoding,
    forward,
    parameters,
    per_token,
)
from distilmt.teachers.top_k import SCORING_TOKENS
from distilmt.utils.run_dir import read_json, read_step
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ModelResult, result_of

CostDrivers = dict[str, float]


@dataclass
class StepCost:
    """One step's."""

    name: str
    parameters: int | None = None
    """Parameters of the model that is trained or labels; None if its dimensions are unknown."""
    macs_per_token: dict[str, dict[str, float]] | None = None
    """Multiply-adds of a forward pass per source token (encoder) and per target token (decoder)."""
    flops: float | None = None
    """Floating-point operations of all matrix products of the step."""
    drivers: dict[str, CostDrivers] = field(default_factory=dict)
    """Quantities that its time is linear in, by kind of work: see `planning.calibration.KINDS`."""
    memory: float | None = None
    """Memory of its tensors in bytes."""
    bytes: dict[str, float] = field(default_factory=dict)
    """Bytes on disk: `kept` after the step, `passing` for files removed at its end."""


@dataclass(frozen=True)
class RunMeasurements:
    """Quantities known only after a run; None uses the configuration."""

    updates: Mapping[str, int] = field(default_factory=dict)
    """Updates of a training by the name of its step."""
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Length of validation translations relative to the references: undertrained models produce over-long output."""
    hypothesis_tokens: float | None = None
    """Tokens of all hypotheses of the teacher."""


def step_costs(
    config: RunConfig, text: CorpusStatistics, measurements: RunMeasurements | None = None
) -> list[StepCost]:
    """Teacher, labels, student, baseline and exports of a run, in this order.

    Args:
        config: the run.
        text: the text to train on and label.
        measurements: measurements of a finished run; without them the configured work is counted.
    """
    measurements = measurements or RunMeasurements()
    teacher = teacher_dims(config, text)
    student = ModelDims.of(config.student.model, text.vocabulary, text.shared)
    labels = _labeling(config, text, teacher, measurements)
    costs = [
        _teacher(config, text, teacher, measurements),
        labels,
        _student(config, text, student, teacher, measurements),
    ]
    if config.student.baseline:
        objective = ObjectiveConfig(kd_weight=0.0, ce_weight=1.0)
        updates = measurements.updates.get("baseline", config.student.all_updates)
        training = replace(config.student.training, max_steps=updates)
        costs.append(_training("baseline", training, objective, text, student, measurements))
    return [*costs, _exports(config, text, teacher, student)]


def teacher_dims(config: RunConfig, text: CorpusStatistics) -> ModelDims | None:
    """Dimensions of the teacher, if trained here or a Marian directory; None for others."""
    if not config.teacher.named:
        return ModelDims.of(config.teacher.model, text.vocabulary, text.shared)
    dims = ModelDims.read(config.paths.teacher)
    return dims or (ModelDims.read(Path(config.teacher.path)) if config.teacher.path else None)


def _teacher(
    config: RunConfig, text: CorpusStatistics, dims: ModelDims | None, measurements: RunMeasurements
) -> StepCost:
    training = config.teacher.training
    if not config.teacher.named:
        assert dims is not None
        actual_training = replace(training, max_steps=measurements.updates.get("teacher", training.max_steps))
        return _training(
            "teacher", actual_training, ObjectiveConfig(kd_weight=0.0, ce_weight=1.0), text, dims, measurements
        )
    if dims is None:
        return StepCost("teacher")
    disk_bytes = {"kept": float(sizes.model_bytes(dims) + text.tokenizer_bytes)}
    return StepCost("teacher", parameters(dims), per_token(dims, text.mean_pair()), 0.0, bytes=disk_bytes)


def _training(
    name: str,
    training: TrainingConfig,
    objective: ObjectiveConfig,
    text: CorpusStatistics,
    dims: ModelDims,
    measurements: RunMeasurements,
    teacher: ModelDims | None = None,
) -> StepCost:
    """Work of a training; `teacher` is in memory if the loss uses its states."""
    load, _ = text.mean_batch(training.batch_tokens, dims.positions)
    layers, vocabulary = _update_flops(objective, load, dims, teacher)
    updates = training.max_steps
    drivers = {
        "training": {
            "starts": 1.0,
            "pairs": float(text.pairs),
            "updates": float(updates),
            "layer FLOPs": updates * layers,
            "vocabulary FLOPs": updates * vocabulary,
        },
        "validation": _validation_drivers(training, text, dims, measurements.lengths.get(name, 1.0)),
    }
    memory = sizes.training_memory(dims, load, training, _width(training.precision))
    return StepCost(
        name,
        parameters(dims),
        per_token(dims, text.mean_pair()),
        updates * (layers + vocabulary),
        drivers,
        memory + text.pairs * 8.0 * sum(text.tokens()),
        {
            "kept": sizes.model_bytes(dims) + text.tokenizer_bytes,
            "passing": sizes.checkpoint_bytes(dims, training)
            + sizes.best_checkpoint_bytes(dims)
            + sizes.export_bytes(dims, "float32"),
        },
    )


def _update_flops(
    objective: ObjectiveConfig, load: TokenCounts, dims: ModelDims, teacher: ModelDims | None
) -> tuple[float, float]:
    """Operations of one update in layers (with those of a teacher in memory), and in the output layer."""
    passes = forward(dims, load)
    student_passes = 2 if Need.SECOND_PASS in needs(objective) else 1
    logits = student_passes * (1 + sum(term.logit_passes for term in active_terms(objective)))
    layers = 2 * (1 + BACKWARD) * student_passes * passes.layers
    if teacher is not None and needs_teacher_in_memory(objective):
        layers += 2 * forward(teacher, load).layers
    return layers, 2 * (1 + BACKWARD) * logits * passes.vocabulary


def _width(precision: str) -> int:
    """Bytes per number in computation on this machine."""
    return 2 if pick_dtype(precision, pick_device()) is torch.bfloat16 else 4


def _validation_drivers(
    training: TrainingConfig, text: CorpusStatistics, dims: ModelDims, length_ratio: float
) -> CostDrivers:
    count = math.ceil(training.max_steps / training.eval_steps)
    load = _with_target_length(text.mean_pair() * (count * training.eval_sentences), length_ratio)
    greedy = decoding(dims, load, 1)
    return {"validations": float(count), "FLOPs": 2 * greedy.total, "words": load.target * dims.decoder_layers}


def _student(
    config: RunConfig, text: CorpusStatistics, dims: ModelDims, teacher: ModelDims | None, measurements: RunMeasurements
) -> StepCost:
    student, policy = config.student, config.student.on_policy
    training = replace(student.training, max_steps=measurements.updates.get("student", student.all_updates))
    labelled = replace(text, pairs=_labeled_sentences(config, text))
    work = _training("student", training, student.objective, labelled, dims, measurements, teacher)
    if policy.steps and teacher is not None:
        labels = replace(
            config.labels,
            num_hypotheses=1,
            sampling_temperature=policy.sampling_temperature,
            top_k=config.labels.top_k or 8,
        )
        sentences = policy.rounds * min(policy.max_sentences or labelled.pairs, labelled.pairs)
        drivers = _decoding_drivers(labels, text, dims, sentences, None) | _scoring_drivers(
            labels, text, teacher, sentences
        )
        work.drivers["labeling"] = {"starts": float(policy.rounds)} | drivers
        work.flops = (work.flops or 0.0) + drivers["decoding FLOPs"] + drivers["scoring FLOPs"]
    return work


def _labeled_sentences(config: RunConfig, text: CorpusStatistics) -> int:
    return min(config.labels.max_sentences or text.pairs, text.pairs)


def _labeling(
    config: RunConfig, text: CorpusStatistics, dims: ModelDims | None, measurements: RunMeasurements
) -> StepCost:
    """Work of labeling: translations, and top-k on them or on the references."""
    labels, sentences = config.labels, _labeled_sentences(config, text)
    if dims is None:
        return StepCost("labels")
    step_drivers = _decoding_drivers(labels, text, dims, sentences, measurements.hypothesis_tokens) | _scoring_drivers(
        labels, text, dims, sentences
    )
    teachers = 1 + len(labels.ensemble)
    drivers = {"labeling": {"starts": 1.0} | {name: teachers * value for name, value in step_drivers.items()}}
    row = text.row_bytes(labels.num_hypotheses * teachers, labels.score_on != "hypothesis" and labels.top_k > 0)
    store = sentences * (row + sizes.top_k_bytes(labels, text.vocabulary, text.tokens()[1]))
    export_bytes = sizes.export_bytes(dims, labels.compute_type) + text.processor_bytes if labels.num_hypotheses else 0
    return StepCost(
        "labels",
        parameters(dims),
        per_token(dims, text.mean_pair()),
        teachers * (step_drivers["decoding FLOPs"] + step_drivers["scoring FLOPs"]),
        drivers,
        sizes.labeling_memory(dims, text.mean_pair(), labels, _width("auto")),
        {"kept": store + teachers * export_bytes},
    )


def _decoding_drivers(
    labels: LabelConfig, text: CorpusStatistics, dims: ModelDims, sentences: int, hypothesis_tokens: float | None
) -> CostDrivers:
    """Work of beam search; `hypothesis_tokens` tokens in total, or as many as the references have."""
    if not labels.num_hypotheses:
        return {"decoding FLOPs": 0.0, "words": 0.0}
    beam = decoding_options(labels).beams
    load = text.mean_pair() * sentences
    length_ratio = hypothesis_tokens / labels.num_hypotheses / load.target if hypothesis_tokens else 1.0
    load = _with_target_length(load, length_ratio)
    macs: Macs = decoding(dims, load, beam)
    return {"decoding FLOPs": 2 * macs.total, "words": beam * load.target * dims.decoder_layers}


def _with_target_length(load: TokenCounts, length_ratio: float) -> TokenCounts:
    """The same with targets longer by a factor."""
    return TokenCounts(
        load.source,
        load.target * length_ratio,
        load.encoder_pairs,
        load.causal_pairs * length_ratio**2,
        load.cross_pairs * length_ratio,
    )


def _scoring_drivers(labels: LabelConfig, text: CorpusStatistics, dims: ModelDims, sentences: int) -> CostDrivers:
    """Work of forced decoding, on hypotheses, references or both."""
    if not labels.top_k:
        return {"scoring FLOPs": 0.0}
    times = (labels.score_on != "reference") + (labels.score_on != "hypothesis")
    load, together = text.mean_batch(SCORING_TOKENS, dims.positions)
    return {"scoring FLOPs": 2 * times * forward(dims, load).total * sentences / together}


def _exports(config: RunConfig, text: CorpusStatistics, teacher: ModelDims | None, student: ModelDims) -> StepCost:
    """Work of the CTranslate2 exports; other formats of the student are not counted."""
    models: list[tuple[ModelDims, str]] = [(teacher, kind) for kind in config.export.teacher] if teacher else []
    models += [(student, kind) for kind in config.export.student for _ in range(1 + config.student.baseline)]
    disk_bytes = sum(sizes.export_bytes(dims, kind) + text.processor_bytes for dims, kind in models)
    return StepCost("exports", bytes={"kept": float(disk_bytes)})


def read_measurements(paths: RunPaths) -> RunMeasurements:
    """Updates and generated tokens of a run's finished steps."""
    steps = {name: read_step(paths.step(name)) for name in ("teacher", "student", "baseline")}
    results = {name: result_of(ModelResult, record).updates for name, record in steps.items()}
    updates = {name: count for name, count in results.items() if count is not None}
    lengths = {name: length for name in steps if (length := _length(paths.step(name))) is not None}
    hypothesis_tokens = None
    if read_step(paths.labels) is not None and (paths.labels / MANIFEST).exists():
        hypothesis_tokens = float(LabelStore(paths.labels).token_count()) or None
    return RunMeasurements(updates, lengths, hypothesis_tokens)


def _length(directory: Path) -> float | None:
    """Mean length of the validation translations of a training; None if its log does not contain it."""
    path = directory / "log.json"
    lines = read_json(path) if path.exists() else []
    lengths = [line["length"] for line in lines if "length" in line]
    return sum(lengths) / len(lengths) if lengths else None
