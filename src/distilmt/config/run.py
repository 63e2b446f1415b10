"""The complete configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from distilmt.config.bounds import MAX_SEED, bounded
from distilmt.config.choices import ReportLanguage
from distilmt.config.corpus import CorpusConfig, TokenizerConfig
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.config.export import EvaluationConfig, ExportConfig
from distilmt.config.student import FrameConfig, StudentConfig
from distilmt.config.teacher import LabelConfig, TeacherConfig
from distilmt.utils.arguments import existing_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_paths import RunPaths

_SEEDED_STEPS = ("corpus", "references", "tokenizer", "teacher", "labels", "student", "baseline", "evaluation")
"""Steps that use random numbers."""
METHOD_SECTION = "method_section"
"""Metadata of a section in which the methods of a comparison may differ."""


@dataclass
class RunConfig:
    """All options of `distilmt run CONFIG.yaml`."""

    run_dir: str = config_field("runs/run", no_effect())
    """Directory of the run; created if missing, resumed if it exists."""
    seed: int = bounded(1, 0, MAX_SEED, affects(*_SEEDED_STEPS))
    """Seed of all random numbers."""
    report_language: ReportLanguage = config_field("en", affects("report"))
    """Language of the report."""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    """Sentence pairs."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """Subwords."""
    teacher: TeacherConfig = field(default_factory=TeacherConfig, metadata=affects("teacher", "references"))
    """The teacher: the large model."""
    labels: LabelConfig = field(default_factory=LabelConfig, metadata={METHOD_SECTION: True})
    """The teacher's outputs for the training text."""
    student: StudentConfig = field(default_factory=StudentConfig, metadata={METHOD_SECTION: True})
    """The student: the small model."""
    export: ExportConfig = field(default_factory=ExportConfig)
    """Exports for deployment."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Measurements and report."""

    @property
    def frames(self) -> FrameConfig | None:
        """How the source text becomes the frames that the student perceives; None if it reads text."""
        if self.student.input != "speech":
            return self.student.frames
        voices = self.student.voices
        return replace(voices, language=voices.language or self.corpus.source)

    @property
    def paths(self) -> RunPaths:
        """The paths of the run directory."""
        return RunPaths(Path(self.run_dir))

    def __post_init__(self) -> None:
        if self.corpus.source == self.corpus.target:
            raise UserError(
                f"corpus.source and corpus.target are both {self.corpus.source!r}: name two different languages"
            )

    @classmethod
    def from_yaml(cls, path: str | Path, changes: Mapping[str, object] | None = None) -> RunConfig:
        """The configuration of a run from a file, as `distilmt run` reads it.

        Args:
            path: the YAML file.
            changes: values that override those of the file, by key: `{"student.training.max_steps": 100}`.

        Raises:
            TypeError: `path` is no path, or `changes` no mapping.
            UserError: the file cannot be read, a key is unknown, or a value is invalid.

        Examples:
            >>> config = distilmt.RunConfig.from_yaml("runs/demo/config.yaml", {"student.training.max_steps": 100})
            >>> config.student.training.max_steps
            100
        """
        from distilmt.config.run_loading import load_yaml  # it reads the fields of this class

        if not isinstance(changes or {}, Mapping):
            raise TypeError(f"changes is {changes!r:.60}: give values by key, as {{'labels.beam_size': 2}}")
        return load_yaml(existing_path("path", path), changes or {})
