"""Predicted and measured cost of a run, as rows for tables, reports and programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypedDict

from distilmt.config import ModelConfig, RunConfig
from distilmt.models.presets import shape
from distilmt.planning.calibration import CostRates, finished_steps, predict_seconds
from distilmt.planning.corpus_statistics import CorpusStatistics
from distilmt.planning.model_counts import ModelDims
from distilmt.planning.step_costs import StepCost, read_measurements, step_costs, teacher_dims
from distilmt.report.schema import Cost
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import StepRecord
from distilmt.utils.sizes import total_bytes
from distilmt.utils.step_results import ModelResult, result_of


class CostInputs(TypedDict):
    """Inputs of the counts, and the sizes of the models."""

    run_dir: str
    pairs: float
    source_tokens: float
    target_tokens: float
    vocabulary: int
    shared: bool
    cleaned: bool
    teacher: JsonObject | None
    """`ModelDims`; null if the teacher is not trained here."""
    student: JsonObject


def predicted_costs(config: RunConfig, text: CorpusStatistics, rates: CostRates | None) -> list[Cost]:
    """Rows for teacher, labels, student, baseline and exports, as configured.

    Without rates, seconds and memory are None.
    """
    rows, needed = [], 0.0
    for work in step_costs(config, text):
        needed = max(needed, work.memory or 0.0)  # a process does not release the memory of its last step
        rows.append(
            Cost(
                name=work.name,
                parameters=work.parameters,
                macs_per_token=work.macs_per_token,
                flops=work.flops,
                seconds=_seconds(work, config, rates),
                peak_rss_bytes=rates.memory + needed if rates is not None and work.memory else None,
                bytes=dict(work.bytes),
            )
        )
    return rows


def _seconds(work: StepCost, config: RunConfig, rates: CostRates | None) -> float | None:
    """Seconds by the rates, at most the configured limit of a training."""
    duration = predict_seconds(rates.seconds, work.drivers) if rates else None
    most = {"teacher": config.teacher.training.max_seconds, "student": config.student.training.max_seconds}.get(
        work.name
    )
    return duration if duration is None or most is None else min(duration, most)


def measured_costs(config: RunConfig, text: CorpusStatistics) -> list[Cost]:
    """Rows of the finished steps: counts for the actual updates, everything else measured."""
    steps = finished_steps(config, text, read_measurements(config.paths))
    return [_measured(work, record, config.paths.step(work.name)) for work, record in steps]


def _measured(work: StepCost, record: StepRecord, directory: Path) -> Cost:
    disk_bytes = total_bytes(directory)
    parameters = result_of(ModelResult, record).parameters if work.parameters is None else work.parameters
    return Cost(
        name=work.name,
        parameters=parameters,
        macs_per_token=work.macs_per_token,
        flops=work.flops,
        seconds=record.seconds,
        peak_rss_bytes=record.peak_rss_bytes,
        bytes={"kept": float(disk_bytes)},
    )


def growth(config: RunConfig, text: CorpusStatistics, rates: CostRates) -> dict[str, dict[str, float | None]]:
    """Factor of each step's seconds if one quantity is doubled and everything else, with the updates, stays equal.

    Returns:
        For `corpus` (pairs), `vocabulary` (at the same tokens), `depth` and `width` (with the feed-forward blocks) and
        `updates` the factor of every step's time; None where it cannot be predicted.
    """
    base = _times(config, text, rates)
    doubled = {
        "corpus": (config, replace(text, pairs=2 * text.pairs)),
        "updates": (_updates(config), text),
        "vocabulary": (config, replace(text, vocabulary=2 * text.vocabulary)),
        "depth": (_models(config, _deeper), text),
        "width": (_models(config, _wider), text),
    }
    factors: dict[str, dict[str, float | None]] = {}
    for name, (changed, read) in doubled.items():
        times = _times(changed, read, rates)
        factors[name] = {step: _ratio(times.get(step), time) for step, time in base.items()}
    return factors


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def _times(config: RunConfig, text: CorpusStatistics, rates: CostRates) -> dict[str, float | None]:
    works = {work.name: work for work in step_costs(config, text) if work.drivers}
    return {name: predict_seconds(rates.seconds, work.drivers) for name, work in works.items()}


def _updates(config: RunConfig) -> RunConfig:
    teacher, student = config.teacher, config.student
    twice = [
        replace(t, max_steps=2 * t.max_steps, eval_steps=2 * t.eval_steps) for t in (teacher.training, student.training)
    ]
    return replace(config, teacher=replace(teacher, training=twice[0]), student=replace(student, training=twice[1]))


def _models(config: RunConfig, change: Callable[[ModelConfig], ModelConfig]) -> RunConfig:
    teacher = replace(config.teacher, model=change(config.teacher.model))
    return replace(config, teacher=teacher, student=replace(config.student, model=change(config.student.model)))


def _deeper(model: ModelConfig) -> ModelConfig:
    s = shape(model)
    return replace(model, encoder_layers=2 * s.encoder_layers, decoder_layers=2 * s.decoder_layers)


def _wider(model: ModelConfig) -> ModelConfig:
    s = shape(model)
    return replace(model, d_model=2 * s.d_model, ffn_dim=2 * s.ffn_dim)


def inputs_summary(config: RunConfig, text: CorpusStatistics) -> CostInputs:
    """Inputs of the counts."""
    source, target = text.tokens()
    teacher = teacher_dims(config, text)
    return {
        "run_dir": config.run_dir,
        "pairs": text.pairs,
        "source_tokens": source,
        "target_tokens": target,
        "vocabulary": text.vocabulary,
        "shared": text.shared,
        "cleaned": text.ready,
        "teacher": asdict(teacher) if teacher else None,
        "student": asdict(ModelDims.of(config.student.model, text.vocabulary, text.shared)),
    }
