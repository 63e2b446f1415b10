"""Scores and distribution statistics of a trained model, for a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from distilmt.config import RunConfig
from distilmt.config.systems import STUDENT, TEACHER
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation import quality
from distilmt.export.formats import export_for_translation
from distilmt.models.base import Seq2SeqModel
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.steps.evaluation_inputs import EvaluationInputs, evaluation_inputs, inputs_of_rows
from distilmt.pipeline.steps.export import export_external
from distilmt.rendering.frames import frames_of
from distilmt.teachers import existing
from distilmt.teachers.forced_decoding import TokenScores, force_decode
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ScoresResult

TRANSLATIONS, ROWS = "translations.json", "rows.json"
_DECODINGS = ("beam", "greedy", "int8")
_PICTURE_SEED = 1
"""Of the test pictures: students of all seeds read the same ones."""


def score_teacher(config: RunConfig, directory: Path) -> ScoresResult:
    """As `score_model`, for the teacher."""
    return score_model(config, directory, TEACHER)


def score_student(config: RunConfig, directory: Path) -> ScoresResult:
    """As `score_model`, for the student."""
    return score_model(config, directory, STUDENT)


def score_model(config: RunConfig, directory: Path, model: str) -> ScoresResult:
    """Translate the test set with a model of the run, and score the references by forced decoding.

    Students that read pictures translate the test sentences that have a picture in the held-out fonts; `ROWS` has
    their numbers.

    Args:
        config: the run.
        directory: directory of exports and translations.
        model: `teacher` or `student`.

    Returns:
        Scores by decoding mode, and, for a model with weights here, statistics of its distributions.
    """
    paths = RunPaths(directory.parent)
    test = inputs_of_rows(paths) if model == TEACHER else evaluation_inputs(replace(config, seed=_PICTURE_SEED), paths)
    if test.perceived is not None:
        write_json(directory / ROWS, test.rows.tolist())
    translations = _translations(config, directory, model, test)
    scores = scored(translations, test.references, config.corpus.target)
    if existing.read_pointer(paths.step(model)):
        return scores
    tokenizer = tokenizers.load(paths.tokenizer)
    columns = config.student.rendering.columns_per_frame
    statistics = _distribution_statistics(paths, model, tokenizer, test, translations["beam"], columns)
    return replace(scores, token_metrics=statistics)


def scored(translations: Mapping[str, list[str]], references: Sequence[str], target: str) -> ScoresResult:
    """Scores by decoding mode."""
    return ScoresResult(**{name: asdict(quality.score(translations[name], references, target)) for name in _DECODINGS})


def _translations(config: RunConfig, directory: Path, model: str, test: EvaluationInputs) -> dict[str, list[str]]:
    """Scores by decoding mode; stored in a file, so that a resumed comparison does not translate again."""
    path = directory / TRANSLATIONS
    if path.exists():
        return dict(read_json(path))
    translations = {}
    for compute_type, decodings in (("float32", ("beam", "greedy")), ("int8", ("int8",))):
        export_model(config, RunPaths(directory.parent), model, compute_type, directory / compute_type)
        for decoding in decodings:
            beam = 1 if decoding == "greedy" else config.evaluation.beam_of(model)
            translations[decoding] = test.translations(directory / compute_type, beam)
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
    paths: RunPaths, model: str, tokenizer: Tokenizer, test: EvaluationInputs, hypotheses: list[str], columns: int
) -> dict[str, float | None]:
    """Statistics of a model's distributions over the references, and of the probability of its own translations."""
    weights = load_model(paths.step(model))
    translated = [row for row, text in enumerate(hypotheses) if text]
    own, own_targets = test.chosen(translated), [hypotheses[row] for row in translated]
    on_references = force_decode(weights, tokenizer, _sources(test, columns), test.references)
    statistics: dict[str, float | None] = {
        "cross_entropy": float(on_references.nll.mean()),
        "entropy": float(on_references.entropy.mean()),
        "accuracy": on_references.accuracy(),
        "calibration_error": on_references.calibration_error(),
        "mode_mass": float(
            force_decode(weights, tokenizer, _sources(own, columns), own_targets).probabilities().mean()
        ),
    }
    if model != "teacher" and not existing.read_pointer(paths.teacher):
        statistics["agreement"] = _agreement(load_model(paths.teacher), on_references, tokenizer, test)
    return statistics


def _sources(test: EvaluationInputs, columns: int) -> Sequence[str] | Sequence[np.ndarray]:
    """Sentences, or the frames of their pictures, `columns` of pixels each."""
    return test.sources if test.perceived is None else [frames_of(picture, columns) for picture in test.perceived]


def _agreement(
    teacher: Seq2SeqModel, student: TokenScores, tokenizer: Tokenizer, test: EvaluationInputs
) -> float | None:
    """Share of positions where both predict the same top token; None if their sentences differ."""
    teacher_scores = force_decode(teacher, tokenizer, test.sources, test.references)
    if not np.array_equal(teacher_scores.ids, student.ids):
        return None
    return float((teacher_scores.likeliest == student.likeliest).mean())
