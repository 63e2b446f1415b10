"""Results of steps: what the entry `result` of a `step.json` holds.

Records of older versions may lack keys; keys of other versions are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from distilmt.utils.json_types import JsonMapping, JsonObject
from distilmt.utils.run_dir import StepRecord, read_step

T = TypeVar("T")


@dataclass(frozen=True)
class CorpusResult:
    """Pairs of the corpus."""

    train: int = 0
    valid: int | None = None
    test: int | None = None
    read: int | None = None
    """Pairs before cleaning."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Pairs that cleaning dropped, by reason."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows by split, where they are known."""
        return {"train": self.train} | ({} if self.valid is None else {"valid": self.valid})


@dataclass(frozen=True)
class LabelResult:
    """Sentences of a label store."""

    sentences: int = 0
    reused: int = 0
    """Those whose labels were taken from other stores."""
    seconds_per_sentence: float | None = None
    """Of the sentences that were labeled; None without any, or in older records."""


@dataclass(frozen=True)
class ModelResult:
    """A model that was trained, or a teacher that was imported: then only what is known of it."""

    updates: int | None = None
    best_score: float | None = None
    """The best validation score, by the metric of the training."""
    train_seconds: float | None = None
    """Seconds of the training with its validations."""
    validation_seconds: float | None = None
    """Seconds of the validations; None in older records."""
    parameters: int | None = None
    hypotheses_dropped: Mapping[str, int] = field(default_factory=dict)
    """Hypotheses that were not trained on, by reason."""


@dataclass(frozen=True)
class ValidationResult:
    """Scores of a plan's student on the validation set."""

    bleu: float = 0.0
    chrf: float = 0.0
    cross_entropy: float = 0.0
    """Of the references, in nats per token."""


def from_record(kind: type[T], values: JsonMapping) -> T:
    """A result from the entry of a record; null counts as missing."""
    names = {each.name for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names and value is not None})


def to_record(result: object) -> JsonObject:
    """The entry of a record; what is None or empty is left out."""
    values = dataclasses.asdict(result)  # type: ignore[call-overload]
    return {name: value for name, value in values.items() if value is not None and value != {}}


def result_of(kind: type[T], record: StepRecord | None) -> T:
    """The result in a record; all defaults without one."""
    return from_record(kind, record.result if record else {})


def read_result(kind: type[T], directory: Path) -> T:
    """The result of the finished step in a directory; all defaults without one."""
    return result_of(kind, read_step(directory))
