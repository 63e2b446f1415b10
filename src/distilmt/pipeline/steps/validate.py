"""Validation scores of a plan's student, per sentence; the test set is not used."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from distilmt.config import RunConfig
from distilmt.config.systems import STUDENT
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation import quality
from distilmt.models.checkpoint import load_model
from distilmt.pipeline.steps.score import export_model
from distilmt.teachers.forced_decoding import force_decode
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import write_json
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ValidationResult

SENTENCES = "sentences.json"


def validate_student(config: RunConfig, directory: Path) -> ValidationResult:
    """Translate all validation sentences by beam search, and score their references by forced decoding.

    Returns:
        BLEU, chrF, and the cross-entropy of the references in nats per token. The file `SENTENCES` stores translations,
        and the nats and tokens of the reference of every sentence within the model's length limit.
    """
    paths = RunPaths(directory.parent)
    valid = prepare.load_split(paths.corpus, "valid")
    sources, references = valid["source"].to_pylist(), valid["target"].to_pylist()
    export_model(config, paths, "student", "float32", directory / "float32")
    translator = load_translation_model(directory / "float32", threads=1, workers=cores())
    lines = translator.translate(sources, config.evaluation.beam_of(STUDENT))
    scores = quality.score(lines, references, config.corpus.target)
    token_scores = force_decode(load_model(paths.student), tokenizers.load(paths.tokenizer), sources, references)
    rows = np.repeat(np.arange(len(token_scores.lengths)), token_scores.lengths)
    nats = np.bincount(rows, token_scores.nll, len(token_scores.lengths))
    details = {"translations": lines, "nats": nats.tolist(), "tokens": token_scores.lengths.tolist()}
    write_json(directory / SENTENCES, details)
    shutil.rmtree(directory / "float32")
    return ValidationResult(scores.bleu, scores.chrf, float(nats.sum() / token_scores.lengths.sum()))
