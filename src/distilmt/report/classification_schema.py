"""Schema of the `report.json` of `distilmt demo --task classify`."""

from __future__ import annotations

from typing import TypedDict

from distilmt.report.schema import Facts


class IntervalRecord(TypedDict):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


class ClassifierDifference(TypedDict):
    """A student's scores minus those without its teacher; `accuracy_p` is from a paired bootstrap."""

    accuracy: IntervalRecord
    accuracy_p: float


class ClassifierRecord(TypedDict):
    """Scores of a classifier, as in `distilmt.classification.evaluate.ClassifierScores`."""

    name: str
    accuracy: IntervalRecord
    macro_f1: IntervalRecord
    ece: float | None
    agreement: float | None
    bytes: int | None
    latency_ms: float
    rows_per_second: float
    against: ClassifierDifference | None


class StudyRecord(TypedDict):
    """A student with and without a teacher; or a teacher, which has no `without` and is its own `student`."""

    teacher: str
    student: str
    seed: int
    scores: ClassifierRecord
    without: ClassifierRecord | None
    fit_seconds: float


class ClassificationFacts(TypedDict):
    """The study: numbers of texts by split, and by section; `deployed` is the saved student."""

    distilmt_version: str
    date: str
    language: str
    machine: Facts
    seed: int
    texts: dict[str, int]
    sections: dict[str, int]
    deployed: str


class ClassificationReport(ClassificationFacts):
    """The whole file."""

    rows: list[StudyRecord]
