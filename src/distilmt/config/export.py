"""What is written for deployment, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ComputeType = Literal["float32", "int8", "int8_float32", "int8_float16", "int16", "float16", "bfloat16"]
ExportFormat = Literal["huggingface", "onnx", "argos", "marian", "web"]


@dataclass
class LicenceConfig:
    """Under what licences the parts of a model stand, for its card; null is said to be not stated."""

    teacher: str | None = None
    """Licence of the teacher (`CC-BY-4.0`)."""
    data: str | None = None
    """Licence of the text it was trained on."""


@dataclass
class ExportConfig:
    """What is written for deployment."""

    teacher: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"])
    """CTranslate2 types of the teacher."""
    student: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"])
    """CTranslate2 types of student and baseline."""
    formats: list[ExportFormat] = field(default_factory=list)
    """More forms of the student: `huggingface`, `onnx` and `web` (need the extra `onnx`), `argos`, `marian`."""
    huggingface_type: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of the weights in the form `huggingface`."""
    node_modules: str | None = None
    """Where the JavaScript of the form `web` is installed; null has npm fetch it."""
    licences: LicenceConfig = field(default_factory=LicenceConfig)
    """What the cards of all exports say."""


@dataclass
class ShortlistConfig:
    """Which target pieces a sentence may use (CTranslate2's vocabulary map)."""

    best: int = 50
    """Target pieces that every source piece allows: the likeliest translations. Fewer are faster, and lose more."""
    frequent: int = 100
    """The most frequent target pieces, which are always allowed."""
    hypotheses: int = 1
    """How many of the teacher's translations of a sentence it is learnt from, beside the reference; best first."""
    sentences: int = 200_000
    """Most sentences it is learnt from, taken evenly from the labels: the word aligner keeps them in memory."""


@dataclass
class EvaluationConfig:
    """How quality, speed and memory are measured."""

    beam_size: int = 4
    """Beam of every system, in quality and speed alike."""
    speed_sentences: int = 200
    """Test sentences the speed is measured on."""
    bootstrap: int = 1000
    """Resamples of the paired bootstrap."""
    examples: int = 20
    """Translations shown side by side."""
    health_cases: int = 40
    """Most inputs of each challenge that student and teacher are examined with; 0 leaves them out."""
