"""Trains one model and writes its directory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation.quality import score
from distilmt.export.formats import export_for_translation
from distilmt.models.base import Seq2SeqModel
from distilmt.models.checkpoint import save_model
from distilmt.models.presets import parameter_count
from distilmt.pipeline.steps.frame_inputs import frame_validator
from distilmt.teachers.remote import load_translation_model
from distilmt.training.checkpoint_files import clear
from distilmt.training.tracker import tracking
from distilmt.training.trainer import TrainingJob, Validate, train
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.step_results import ModelResult, from_record, to_record

RESULT = "result.json"


def fit_model(
    model: Seq2SeqModel, job: TrainingJob, tokenizer: Tokenizer, config: RunConfig, directory: Path
) -> ModelResult:
    """Train, and write a Hugging Face model directory; a complete one is not trained again.

    Args:
        model: fresh weights, float32.
        job: data and settings.
        tokenizer: saved with the model, and used in validation.
        config: the run, for its validation sentences.
        directory: the model's.

    Returns:
        Updates, best score and seconds, for the step's record.
    """
    if (directory / RESULT).exists():
        return from_record(ModelResult, read_json(directory / RESULT))
    directory.mkdir(parents=True, exist_ok=True)
    if job.data.frames is None:
        validate = _validator(config, tokenizer, job, directory)
    else:
        validate = frame_validator(config, tokenizer, job.config.eval_sentences)
    with tracking(job.config.tracker, Path(config.run_dir), directory) as tracker:
        best, result, log = train(model, job, validate, directory, tracker.log)
    save_model(best, tokenizer, directory)
    (directory / "model.safetensors").chmod(0o644)  # safetensors makes it readable only by its owner
    write_json(directory / "log.json", log)
    result = replace(result, parameters=parameter_count(best))
    write_json(directory / RESULT, to_record(result))
    return result


def clean_up(directory: Path) -> None:
    """Remove what a finished training no longer needs; called once its step.json is written, never before."""
    for stage in (directory / "validation", directory / "first", *directory.glob("round-*")):
        shutil.rmtree(stage, ignore_errors=True)
    (directory / RESULT).unlink(missing_ok=True)
    clear(directory)


def _validator(config: RunConfig, tokenizer: Tokenizer, job: TrainingJob, directory: Path) -> Validate:
    """Scores a model by greedy decoding, through the export that is deployed in the end."""
    table = prepare.load_split(config.paths.corpus, "valid").slice(0, job.config.eval_sentences)
    compute_type = "int8" if job.bits else "float32"
    sources, references = table["source"].to_pylist(), table["target"].to_pylist()

    def validate(model: Seq2SeqModel) -> dict[str, float]:
        export_for_translation(model, tokenizer, directory / "validation", compute_type, job.bits or 8)
        translator = load_translation_model(directory / "validation", threads=1, workers=cores())
        translations = translator.translate(sources, beam_size=1)
        scores = score(translations, references, config.corpus.target)
        # Undertrained models produce over-long output, which takes time: `distilmt cost` needs the length.
        length = sum(map(len, translations)) / max(1, sum(map(len, references)))
        return {"bleu": scores.bleu, "chrf": scores.chrf, "length": round(length, 3)}

    return validate
