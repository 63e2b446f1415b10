"""What the demos of pictures and of speech have in common: the shape of the student, CTC, and short sentences."""

from __future__ import annotations

from dataclasses import replace

from distilmt.config import ModelConfig, RunConfig, StudentConfig

_CTC_WEIGHT = 0.3
_MAX_CHARS = 60
"""A student learns short sentences first, and in minutes hardly more."""

_EVAL_SENTENCES = 100
"""Validation decodes with PyTorch: 500 sentences took half of the student's seconds in a demo of 7 minutes."""


def with_frames(config: RunConfig, student: StudentConfig, layers: tuple[int, int], max_positions: int) -> RunConfig:
    """The run with a student that reads frames.

    Args:
        config: a run whose student reads text.
        student: that student with another input, and the options of its frames.
        layers: layers of encoder and decoder.
        max_positions: most positions of the encoder, and most tokens of a translation.
    """
    student = replace(
        student,
        initialization="random",
        objective=replace(student.objective, ctc_weight=_CTC_WEIGHT),
        model=ModelConfig(None, 256, 1024, 4, *layers, max_positions=max_positions),
        training=replace(student.training, eval_sentences=_EVAL_SENTENCES),
    )
    cleaning = replace(config.corpus.cleaning, max_chars=_MAX_CHARS)
    return replace(config, corpus=replace(config.corpus, cleaning=cleaning), student=student)
