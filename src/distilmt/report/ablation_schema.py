"""Schema of `ablation.json`, the ablation of `distilmt compress`."""

from __future__ import annotations

from typing import TypedDict

from distilmt.config.choices import CompressionGoal, ConstraintReference, Metric
from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.evaluation.failure_rates import LimitBreach
from distilmt.report.schema import Facts, LanguagePair, Scores


class StageSpeed(TypedDict):
    """Speed of a stage on one thread, as in `distilmt.evaluation.speed.Speed`."""

    sentences_per_second: dict[str, float]
    latency_ms: dict[str, float]
    peak_rss_bytes: int
    joules: dict[str, float] | None


class TeacherDifference(TypedDict):
    """A stage's score minus the teacher's, with its 95 % interval."""

    difference: float
    ci: list[float]
    p_value: float


class StageResult(TypedDict):
    """One stage of the ablation; `taken` is false if it was only tried, `against_teacher` is by metric."""

    label: str
    beam_size: int
    taken: bool
    scores: Scores
    bytes: int
    speed: StageSpeed
    against_teacher: dict[str, TeacherDifference]


class Candidate(TypedDict):
    """A candidate with its validation score; `milliseconds` is null if it was not timed.

    `breaches` are the limits of failures that it exceeds, null if its failures were not counted.
    """

    variant: Facts
    name: str
    bytes: int
    score: float
    milliseconds: float | None
    breaches: list[LimitBreach] | None


class SearchFacts(TypedDict):
    """The search: `floor` is the lowest allowed score, `max_drop` the allowed loss against `against`.

    `max_failures` are the limits of failure rates by challenge set, and of `all` others.
    """

    pair: LanguagePair
    signature: str
    language: str
    floor: float
    metric: Metric
    max_drop: float
    against: ConstraintReference
    goal: CompressionGoal
    max_failures: dict[str, float]
    challenge_sets: dict[str, list[ChallengeComparison]]


class Ablation(SearchFacts):
    """The whole file; `meets_constraint` says whether the chosen model does."""

    distilmt_version: str
    date: str
    machine: Facts
    meets_constraint: bool
    chosen: Candidate
    stages: list[StageResult]
    points: list[Candidate]
