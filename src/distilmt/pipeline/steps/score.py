"""Scores and distribution statistics of a trained model, for a comparison."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from distilmt.config import RunConfig
from distilmt.config.systems import STUDENT, TEACHER
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation import quality
from distilmt.export.formats import export_for_translation
from distilmt.models.base import Seq2SeqModel
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.steps.export import export_external
from distilmt.teachers import existing
from distilmt.teachers.forced_decoding import TokenScores, force_decode
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ScoresResult

TRANSLATIONS = "translations.json"
_DECODINGS = ("beam", "greedy", "int8")


def score_teacher(config: RunConfig, directory: Path) -> ScoresResult:
    """As `score_model`, for the teacher."""
    return score_model(config, directory, TEACHER)


def score_student(config: RunConfig, directory: Path) -> ScoresResult:
    """As `score_model`, for the student."""
    return score_model(config, directory, STUDENT)


def score_model(config: RunConfig, directory: Path, model: str) -> ScoresResult:
    """Translate the test set with a model of the run, and score the references by forced decoding.

    Args:
        config: the run.
        directory: directory of exports and translations.
        model: `teacher` or `student`.

    Returns:
        Scores by decoding mode, and, for a model with weights here, statistics of its distributions.
    """
    paths = RunPaths(directory.parent)
    test = prepare.load_split(paths.corpus, "test")
    sources, references = test["source"].to_pylist(), test["target"].to_pylist()
    translations = _translations(config, directory, model, sources)
    scores = ScoresResult(
        **{name: asdict(quality.score(translations[name], references, config.corpus.target)) for name in _DECODINGS}
    )
    if existing.read_pointer(paths.step(model)):
        return scores
    tokenizer = tokenizers.load(paths.tokenizer)
    statistics = _distribution_statistics(paths, model, tokenizer, sources, references, translations["beam"])
    return replace(scores, token_metrics=statistics)


def _translations(config: RunConfig, directory: Path, model: str, sources: list[str]) -> dict[str, list[str]]:
    """Scores by decoding mode; stored in a file, so that a resumed comparison does not translate again."""
    path = directory / TRANSLATIONS
    if path.exists():
        return dict(read_json(path))
    translations = {}
    for compute_type, decodings in (("float32", ("beam", "greedy")), ("int8", ("int8",))):
        export_model(config, RunPaths(directory.parent), model, compute_type, directory / compute_type)
        translator = load_translation_model(directory / compute_type, threads=1, workers=cores())
        for decoding in decodings:
            translations[decoding] = translator.translate(
                sources, 1 if decoding == "greedy" else config.evaluation.beam_of(model)
            )
    write_json(path, translations)
    return translations


def export_model(config: RunConfig, paths: RunPaths, model: str, compute_type: str, path: Path, bits: int = 8) -> None:
    """Export a model of a run directory for translation; `bits` applies only to models trained here."""
    if existing.read_pointer(paths.step(model)):
        export_external(config, paths, model, compute_type, path)
    else:
        export_for_translation(
            load_model(paths.step(model)),
            tokenizers.load(paths.tokenizer),
            path,
            compute_type,
            bits,
            config.frames,
        )


def _distribution_statistics(
    paths: RunPaths, model: str, tokenizer: Tokenizer, sources: list[str], references: list[str], hypotheses: list[str]
) -> dict[str, float | None]:
    """Statistics of a model's distributions over the references, and of the probability of its own translations."""
    weights = load_model(paths.step(model))
    on_references = force_decode(weights, tokenizer, sources, references)
    pairs = [(source, target) for source, target in zip(sources, hypotheses, strict=True) if target]
    own_sources, own_targets = ([pair[i] for pair in pairs] for i in (0, 1))
    statistics: dict[str, float | None] = {
        "cross_entropy": float(on_references.nll.mean()),
        "entropy": float(on_references.entropy.mean()),
        "accuracy": on_references.accuracy(),
        "calibration_error": on_references.calibration_error(),
        "mode_mass": float(force_decode(weights, tokenizer, own_sources, own_targets).probabilities().mean()),
    }
    if model != "teacher" and not existing.read_pointer(paths.teacher):
        statistics["agreement"] = _agreement(load_model(paths.teacher), on_references, tokenizer, sources, references)
    return statistics


def _agreement(
    teacher: Seq2SeqModel, student: TokenScores, tokenizer: Tokenizer, sources: list[str], references: list[str]
) -> float | None:
    """Share of positions where both predict the same top token; None if their sentences differ."""
    teacher_scores = force_decode(teacher, tokenizer, sources, references)
    if not np.array_equal(teacher_scores.ids, student.ids):
        return None
    return float((teacher_scores.likeliest == student.likeliest).mean())
