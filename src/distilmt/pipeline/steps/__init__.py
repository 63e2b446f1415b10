"""The work of each pipeline step, given the configuration and the output directory."""

from distilmt.pipeline.steps.evaluate import evaluate_models, write_run_report
from distilmt.pipeline.steps.export import export_models
from distilmt.pipeline.steps.fit_model import clean_up
from distilmt.pipeline.steps.references import write_references
from distilmt.pipeline.steps.score import TRANSLATIONS, score_student, score_teacher
from distilmt.pipeline.steps.signature import signature
from distilmt.pipeline.steps.train import (
    make_teacher,
    prepare_corpus,
    rerank_labels,
    train_baseline,
    train_student,
    train_tokenizer,
    write_labels,
)
from distilmt.pipeline.steps.validate import SENTENCES, validate_student

__all__ = [
    "SENTENCES",
    "TRANSLATIONS",
    "clean_up",
    "evaluate_models",
    "export_models",
    "make_teacher",
    "prepare_corpus",
    "rerank_labels",
    "score_student",
    "score_teacher",
    "signature",
    "train_baseline",
    "train_student",
    "train_tokenizer",
    "validate_student",
    "write_labels",
    "write_references",
    "write_run_report",
]
