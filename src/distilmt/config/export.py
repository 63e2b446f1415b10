"""What is written for deployment, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, bounded
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.utils.errors import UserError

ComputeType = Literal["float32", "int8", "int8_float32", "int8_float16", "int16", "float16", "bfloat16"]
ExportFormat = Literal["huggingface", "onnx", "argos", "marian", "web"]


_SYSTEMS = affects("exports", "evaluation", "report")


@dataclass
class LicenseConfig:
    """Under what licences the parts of a model stand, for its card; null is said to be not stated."""

    teacher: str | None = None
    """Licence of the teacher (`CC-BY-4.0`)."""
    data: str | None = None
    """Licence of the text it was trained on."""


@dataclass
class ExportConfig:
    """What is written for deployment."""

    teacher: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"], metadata=_SYSTEMS)
    """CTranslate2 types of the teacher."""
    student: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"], metadata=_SYSTEMS)
    """CTranslate2 types of student and baseline."""
    formats: list[ExportFormat] = field(default_factory=list)
    """More forms of the student: `huggingface`, `onnx` and `web` (need the extra `onnx`), `argos`, `marian`."""
    huggingface_type: Literal["float32", "float16", "bfloat16"] = config_field(
        "float32", affects(when=lambda own: "huggingface" in own["formats"])
    )
    """Type of the weights in the form `huggingface`."""
    node_modules: str | None = config_field(None, no_effect())
    """Where the JavaScript of the form `web` is installed; null has npm fetch it."""
    licenses: LicenseConfig = field(default_factory=LicenseConfig)
    """What the cards of all exports say."""

    def __post_init__(self) -> None:
        for name in ("teacher", "student"):
            if not getattr(self, name):
                raise UserError(f"export.{name} is empty: name at least one type, such as int8")


@dataclass
class ShortlistConfig:
    """Which target pieces a sentence may use (CTranslate2's vocabulary map)."""

    best: int = bounded(50, 1, 1_000_000)
    """Target pieces that every source piece allows: the likeliest translations. Fewer are faster, and lose more."""
    frequent: int = bounded(100, 0, 1_000_000)
    """The most frequent target pieces, which are always allowed."""
    hypotheses: int = bounded(1, 0, MAX_BEAM)
    """How many of the teacher's translations of a sentence it is learnt from, beside the reference; best first."""
    sentences: int = bounded(200_000, 1, MAX_COUNT)
    """Most sentences it is learnt from, taken evenly from the labels: the word aligner keeps them in memory."""


@dataclass
class EvaluationConfig:
    """How quality, speed and memory are measured."""

    beam_size: int = bounded(4, 1, MAX_BEAM, affects("evaluation", "teacher-scores", "scores", "validation"))
    """Beam of every system, in quality and speed alike."""
    benchmark_sentences: int = bounded(200, 1, 1_000_000)
    """Test sentences the speed is measured on."""
    bootstrap_samples: int = bounded(1000, 1, 100_000, affects("report"))
    """Resamples of the paired bootstrap."""
    examples: int = bounded(20, 0, 1_000_000, affects("report"))
    """Translations shown side by side."""
    challenge_cases: int = bounded(40, 0, 1_000_000)
    """Most inputs of each challenge that student and teacher are examined with; 0 leaves them out."""
