"""Options of exports for deployment and of evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, bounded
from distilmt.config.choices import WeightType
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.config.fields import FLAG, Flag
from distilmt.config.systems import TEACHER
from distilmt.utils.errors import UserError

ComputeType = Literal["float32", "int8", "int8_float32", "int8_float16", "int16", "float16", "bfloat16"]
ExportFormat = Literal["huggingface", "onnx", "argos", "marian", "web"]


_SYSTEMS = affects("exports", "evaluation", "report", selects_exports=True)


@dataclass
class LicenseConfig:
    """Licenses of the parts of a model, for its card; null appears as "not stated"."""

    teacher: str | None = None
    """License of the teacher (`CC-BY-4.0`)."""
    data: str | None = None
    """License of the teacher's training text."""


@dataclass
class ExportConfig:
    """Exports for deployment."""

    teacher: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"], metadata=_SYSTEMS)
    """CTranslate2 types in which the teacher is exported."""
    student: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"], metadata=_SYSTEMS)
    """CTranslate2 types in which student and baseline are exported."""
    formats: list[ExportFormat] = field(default_factory=list, metadata=affects(selects_exports=True))
    """Other export formats of the student: `huggingface`, `onnx` and `web` (need extra `onnx`), `argos`, `marian`."""
    huggingface_type: WeightType = config_field(
        "float32",
        affects(when=lambda own: "huggingface" in own["formats"], downstream=False, files=("student-huggingface",)),
    )
    """Type of the weights in the format `huggingface`."""
    node_modules: str | None = config_field(None, no_effect(holds="directory"))
    """Where the JavaScript of the format `web` is installed; null downloads it with npm."""
    licenses: LicenseConfig = field(default_factory=LicenseConfig, metadata=affects(downstream=False))
    """Licenses for the cards of all exports."""

    def __post_init__(self) -> None:
        for name in ("teacher", "student"):
            if not getattr(self, name):
                raise UserError(f"export.{name} is empty: name at least one type, such as int8")


@dataclass
class ShortlistConfig:
    """Lexical shortlist: the target tokens that a sentence may use (CTranslate2's vocabulary map)."""

    best: int = bounded(50, 1, 1_000_000)
    """Allowed target tokens per source token: the most probable translations. Fewer are faster but lose quality."""
    frequent: int = bounded(100, 0, 1_000_000)
    """Number of most frequent target tokens, which are always allowed."""
    hypotheses: int = bounded(1, 0, MAX_BEAM)
    """Teacher translations per sentence for the word alignment, best first, in addition to the reference."""
    sentences: int = bounded(200_000, 1, MAX_COUNT)
    """Maximum sentences for the word alignment, spaced evenly over the labels: the aligner holds them in memory."""


@dataclass
class EvaluationConfig:
    """Measurement of quality, speed and memory."""

    beam_size: int = bounded(4, 1, MAX_BEAM, affects("evaluation", "teacher-scores", "scores", "validation"))
    """Beam size of every system, for both quality and speed."""
    student_beam_size: int | None = bounded(None, 1, MAX_BEAM, affects("evaluation", "scores", "validation"))
    """Beam size of student and baseline, which their exports then translate with; null: `beam_size`; 1 is greedy."""
    benchmark_sentences: int = bounded(200, 1, 1_000_000, affects(files=("speed.json",)))
    """Number of test sentences for measuring speed."""
    benchmark_rounds: int = bounded(3, 1, 1000, affects(files=("speed.json",)))
    """Measurements of each system's speed, each in a new process; the report has their medians."""
    bootstrap_samples: int = bounded(1000, 1, 100_000, affects("report"))
    """Resamples of the paired bootstrap."""
    examples: int = bounded(20, 0, 1_000_000, affects("report"))
    """Number of example translations in the report."""
    against: list[str] = field(default_factory=list, metadata={**affects("report"), FLAG: Flag(repeated=True)})
    """Translations of the test set by other systems, `NAME=FILE` each: a translation per line, or JSON."""
    challenge_cases: int = bounded(40, 0, 1_000_000, affects(files=("*.health.json",)))
    """Maximum inputs per challenge set, for student and teacher; 0 skips the challenge sets."""

    def __post_init__(self) -> None:
        self.other_outputs  # noqa: B018  # raises an error

    def beam_of(self, system: str) -> int:
        """Beam size of a model (`student`) or of one of its exports (`student-int8`)."""
        return self.beam_size if system.startswith(TEACHER) else self.student_beam_size or self.beam_size

    @property
    def other_outputs(self) -> dict[str, str]:
        """The files of `against` by name of the system.

        Raises:
            UserError: an entry has another form, or two systems have one name.
        """
        files: dict[str, str] = {}
        for entry in self.against:
            name, sign, path = entry.partition("=")
            if not (name and sign and path):
                raise UserError(f"evaluation.against {entry!r}: write NAME=FILE, such as other=other.txt")
            if name in files:
                raise UserError(f"evaluation.against: two systems are called {name!r}: give one of them another name")
            files[name] = path
        return files
