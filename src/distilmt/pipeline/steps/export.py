"""The export step: CTranslate2 directories of every model, and the student in other formats."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from distilmt.config import ComputeType, RunConfig
from distilmt.config.systems import BASELINE, MODELS, STUDENT, TEACHER, system_name
from distilmt.data.tokenizer import Tokenizer
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.export.base import Exporter, TrainedModel
from distilmt.export.card import FACTS, ModelCard, write_card
from distilmt.export.foreign import export_foreign
from distilmt.export.formats import student_exporters, system_exporter
from distilmt.models.architectures import architecture_of
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.steps.export_agreement import compare_exports, comparison_sentences, summary
from distilmt.pipeline.steps.signature import signature
from distilmt.teachers import existing
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.sizes import total_bytes
from distilmt.utils.step_results import ExportsResult, ModelResult, read_result

logger = logging.getLogger(__name__)

PACKED = """
Its files are compressed; distilmt decompresses them in memory. After `unxz DIRECTORY/*.xz`, CTranslate2 and every
program built on it can load the directory.
"""
"""Instructions for the model card of a packed export."""


def ctranslate2_exports(config: RunConfig) -> Iterator[tuple[str, ComputeType]]:
    """Models and their CTranslate2 compute types; a teacher that is not a model has one entry, `float32`."""
    teacher = config.teacher
    is_external = teacher.command or teacher.url or (teacher.path and existing.is_ctranslate2(teacher.path))
    types: dict[str, list[ComputeType]] = {TEACHER: ["float32"] if is_external else config.export.teacher}
    for model in MODELS:
        if model != BASELINE or config.student.baseline:
            yield from ((model, compute_type) for compute_type in types.get(model, config.export.student))


def export_names(config: RunConfig) -> list[str]:
    """Names of all exports of a run: every model in CTranslate2's types, then the student's other formats."""
    names = [system_name(*each) for each in ctranslate2_exports(config)]
    return list(dict.fromkeys([*names, *_student_exporters(config)]))


def export_models(config: RunConfig, directory: Path) -> ExportsResult:
    """Export every model in every type and the student in every configured format; compare their translations."""
    paths = RunPaths(directory.parent)
    tokenizer = load_tokenizer(paths.tokenizer)
    for model, compute_type in ctranslate2_exports(config):
        _export_system(config, model, tokenizer, compute_type, directory)
    for name, exporter in _student_exporters(config).items():
        if not (directory / name).exists():  # complete ones are from an earlier call or from exports with other formats
            student = TrainedModel(load_model(paths.step(STUDENT)), tokenizer, card(config, STUDENT))
            exporter.export(student, directory / name, config.export)
    if config.export.formats:
        _compare(config, directory, tokenizer)
    return ExportsResult({name: total_bytes(directory / name) for name in export_names(config)})


def _student_exporters(config: RunConfig) -> dict[str, Exporter]:
    return student_exporters(config.export, config.student.model.architecture, config.frames)


def _export_system(
    config: RunConfig, model: str, tokenizer: Tokenizer, compute_type: ComputeType, directory: Path
) -> None:
    """Export one model, unless it is there; its card is written anew and keeps the scores of the evaluation."""
    paths, path = RunPaths(directory.parent), directory / system_name(model, compute_type)
    key = "export.teacher" if model == TEACHER else "export.student"
    exporter = system_exporter(architecture_of(paths.step(model)) or "marian", compute_type, key, config.frames)
    model_card = card(config, model)
    model_card = replace(model_card, scores={**model_card.scores, **_test_scores(path)})
    pointer = existing.read_pointer(paths.step(model))
    if not (path.exists() or pointer):
        exporter.export(TrainedModel(load_model(paths.step(model)), tokenizer, model_card), path, config.export)
        return
    if not path.exists():
        export_external(config, paths, model, compute_type, path)
    write_card(path, model_card, exporter.form)


def export_external(config: RunConfig, paths: RunPaths, model: str, compute_type: str, path: Path) -> None:
    """Export a teacher that was not trained here, from the pointer in its directory; without a card."""
    pointer = existing.read_pointer(paths.step(model))
    assert pointer is not None
    facts = existing.with_endpoint(pointer, config.teacher.endpoint)
    export_foreign(facts, path, compute_type, config.corpus.source, config.corpus.target)


def _test_scores(path: Path) -> dict[str, float]:
    """The section that the evaluation added to the card of an export, once."""
    scores = read_json(path / FACTS)["scores"] if (path / FACTS).exists() else {}
    return {name: score for name, score in scores.items() if name.startswith("test ")}


def card(config: RunConfig, model: str) -> ModelCard:
    """Facts of one of a run's models."""
    result = read_result(ModelResult, config.paths.step(model))
    metric = (config.teacher if model == "teacher" else config.student).training.metric
    return ModelCard(
        source=config.corpus.source,
        target=config.corpus.target,
        role=model,
        signature=signature(config),
        parameters=result.parameters,
        scores={} if result.best_score is None else {f"validation {metric}": result.best_score},
        teacher_license=config.export.licenses.teacher,
        data_license=config.export.licenses.data,
    )


def _compare(config: RunConfig, directory: Path, tokenizer: Tokenizer) -> None:
    paths = RunPaths(directory.parent)
    frames, positions = config.frames, load_model(paths.step(STUDENT)).dimensions.max_positions
    texts = comparison_sentences(paths.corpus, tokenizer, positions, frames)
    report = compare_exports(paths.step(STUDENT), directory, _student_exporters(config), texts, frames)
    write_json(directory / "agreement.json", report)
    logger.info(summary(report))
