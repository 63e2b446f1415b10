"""What the demo trains for a number of minutes: which teacher, models of which size, and how the student learns."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from distilmt.config import ExportConfig, LabelConfig, ModelConfig, ObjectiveConfig
from distilmt.config.commands import DemoConfig
from distilmt.utils import pretrained

TRAIN = "train"
"""The value of `--teacher` that trains a teacher."""
_BEAM_SIZE = 2
"""Beam of the labels: half of a run's default, for about half of the decoding time."""
SHORT_MINUTES = 45.0
"""Time from which on models are larger."""
_MINUTES, _MINUTES_OF_IMAGES, _MINUTES_OF_SPEECH, _MINUTES_WITH_TRAINING = 6.0, 15.0, 20.0, 20.0


@dataclass(frozen=True)
class DemoScale:
    """Models and batches that fit a number of minutes."""

    vocab: int
    teacher: ModelConfig
    student: ModelConfig
    batch_tokens: int
    test: int


def scale_for(minutes: float) -> DemoScale:
    """Bigger models for more time.

    The limits are estimates for 2 CPU cores: with too few updates a bigger model stays behind a smaller one. Below 6
    minutes, evaluation takes much of the time too, so that the test set is small.
    """
    if minutes < 6:
        return DemoScale(4000, _shape(192, 768, 2, 2), _shape(192, 384, 1, 1), 1024, 500)
    if minutes < SHORT_MINUTES:
        return DemoScale(4000, _shape(256, 1024, 5, 5), _shape(256, 512, 2, 1), 2048, 2000)
    if minutes < 150:
        return DemoScale(8000, _shape(256, 1024, 6, 6), _shape(256, 1024, 3, 1), 4096, 2000)
    return DemoScale(16000, _shape(512, 2048, 6, 6), _shape(512, 1024, 4, 1), 4096, 2000)


def _shape(width: int, ffn: int, encoder: int, decoder: int) -> ModelConfig:
    return ModelConfig(None, width, ffn, 4, encoder, decoder, max_positions=128)


def student_for(teacher: str | None, minutes: float) -> ModelConfig:
    """The student's shape: that of the scale, which has its teacher's width; the built-in teacher's is narrower.

    It starts from random weights, so that it need not have that width, and gets more updates in a short demo.
    """
    if teacher == str(pretrained.TEACHER) and minutes < SHORT_MINUTES:
        return _shape(192, 384, 2, 1)
    return scale_for(minutes).student


def minutes(config: DemoConfig) -> float:
    """The time limit of the whole run; a teacher that must be trained takes longer."""
    if config.minutes is not None:
        return config.minutes
    if teacher_path(config) != str(pretrained.TEACHER):
        return _MINUTES_WITH_TRAINING
    return {"images": _MINUTES_OF_IMAGES, "speech": _MINUTES_OF_SPEECH}.get(config.task, _MINUTES)


def teacher_path(config: DemoConfig) -> str | None:
    """Directory or name of the teacher to distill; None trains one."""
    if config.teacher is not None:
        return None if config.teacher == TRAIN else config.teacher
    has_pretrained = config.pair == pretrained.PAIR and not config.train and dataset(config) == "debian"
    return str(pretrained.TEACHER) if has_pretrained else None


def dataset(config: DemoConfig) -> str:
    """The data set that the demo reads if no files are named."""
    return config.dataset or ("debian" if shutil.which("apt-get") else "hf:Helsinki-NLP/opus-100")


@dataclass(frozen=True)
class Recipe:
    """How the student learns from its teacher."""

    objective: ObjectiveConfig
    labels: LabelConfig
    initialization: Literal["random", "spaced"]
    export: ExportConfig = field(default_factory=ExportConfig)
    student_beam_size: int | None = None


def recipe_for(teacher: str | None) -> Recipe:
    """The recipe for the built-in teacher, for another one that exists, or for one that the demo trains (None)."""
    on_references = ObjectiveConfig(
        kd_weight=0.9, ce_weight=0.1, teacher_annealing=True, reference_fraction=1.0, tail="uniform"
    )
    if teacher is None:
        # A teacher trained in minutes makes many mistakes: its top-k on the references helps more, and sooner, than its
        # own translations, and in the end the references help more than the teacher. A student that starts with some of
        # its layers gets much closer to it in such a short time than one with random weights.
        return Recipe(
            on_references, LabelConfig(beam_size=_BEAM_SIZE, num_hypotheses=0, score_on="reference"), "spaced"
        )
    if teacher == str(pretrained.TEACHER):
        # Chosen by validation scores (benchmarks/results/demo-recipe.md). Greedy translations cost little beside their
        # scores. Exports that are not deployed are left out: their evaluation would take updates from a short demo.
        both = ObjectiveConfig(kd_weight=0.9, ce_weight=0.1, reference_fraction=0.5, tail="uniform")
        export = ExportConfig(teacher=["float32"], student=["int8"])
        # Greedy decoding is how fast students are deployed: 7.0 instead of 4.6 times the teacher's speed, with the same
        # shape (benchmarks/results/demo-curve.md and demo-en-it-wider.md).
        return Recipe(both, LabelConfig(beam_size=1, score_on="both"), "random", export, student_beam_size=1)
    return Recipe(
        ObjectiveConfig(kd_weight=0.5, ce_weight=0.5), LabelConfig(beam_size=_BEAM_SIZE, score_on="both"), "random"
    )


def has_tokenizer(teacher: str | None) -> bool:
    """Whether a teacher is a directory in Marian's format, with a vocabulary that a student can share."""
    return teacher is not None and all((Path(teacher) / name).exists() for name in ("source.spm", "vocab.json"))
