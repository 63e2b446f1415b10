"""What each step of the road does, given the configuration and the directory it writes."""

from transformers.utils import logging as transformers_logging

from distilmt.pipeline.steps.evaluate import evaluate_models, write_report
from distilmt.pipeline.steps.export import export_models
from distilmt.pipeline.steps.fit_model import tidy
from distilmt.pipeline.steps.references import ask_references
from distilmt.pipeline.steps.score import TRANSLATIONS, score_model
from distilmt.pipeline.steps.signature import signature
from distilmt.pipeline.steps.train import (
    choose_labels,
    make_teacher,
    prepare_corpus,
    train_baseline,
    train_student,
    train_tokenizer,
    write_labels,
)
from distilmt.pipeline.steps.validate import SENTENCES, validate_student

__all__ = [
    "SENTENCES",
    "TRANSLATIONS",
    "ask_references",
    "choose_labels",
    "evaluate_models",
    "export_models",
    "make_teacher",
    "prepare_corpus",
    "score_model",
    "signature",
    "tidy",
    "train_baseline",
    "train_student",
    "train_tokenizer",
    "validate_student",
    "write_labels",
    "write_report",
]

# Progress is told in one place; transformers' own bars and hints would run through it.
transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()
