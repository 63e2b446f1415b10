"""What each step of the road does, given the configuration and the directory it writes."""

from distilmt.steps.learn import (
    make_teacher,
    prepare_corpus,
    train_baseline,
    train_student,
    train_tokenizer,
    write_labels,
)
from distilmt.steps.measure import evaluate_models, export_models, write_report

__all__ = [
    "evaluate_models",
    "export_models",
    "make_teacher",
    "prepare_corpus",
    "train_baseline",
    "train_student",
    "train_tokenizer",
    "write_labels",
    "write_report",
]
