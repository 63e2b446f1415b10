"""Schema of `comparison.json`, the comparison of methods by `distilmt compare`."""

from __future__ import annotations

from typing import TypedDict

from distilmt.evaluation.failure_rates import LimitBreach
from distilmt.report.schema import CurvePoint, Facts, LanguagePair, Scores


class TokenMetrics(TypedDict, total=False):
    """Per token of the references; `mode_mass` is the mean probability of the model's own translations."""

    cross_entropy: float
    entropy: float
    accuracy: float
    calibration_error: float
    mode_mass: float
    agreement: float
    """With the teacher on the top token; missing for the teacher itself."""


class ModelResult(TypedDict, total=False):
    """A teacher, or a student of one seed: scores by decoding, token metrics (in older files `words`), and breakdowns.

    `by_length` has chrF by bins of source length, `by_frequency` F1 by bins of word frequency (null for empty ones).
    `failures` are shares of failures by challenge set, of validation sentences, where they are limited.
    """

    seed: int
    validation: float
    train_seconds: float
    parameters: int | None
    beam: Scores
    greedy: Scores
    int8: Scores
    token_metrics: TokenMetrics
    words: TokenMetrics
    by_length: list[float]
    by_frequency: list[float | None]
    failures: dict[str, float]


class TrainedModel(ModelResult, total=False):
    """A result with what the file has elsewhere: its method, training log, and translations by decoding."""

    method: str
    curve: list[CurvePoint]
    translations: dict[str, list[str]]


class Method(TypedDict):
    """A method, with a result and a training log per seed.

    `breaches` are the limits of failures that its mean over seeds exceeds; such a method is not the best.
    """

    name: str
    signature: str
    runs: list[ModelResult]
    curves: list[list[CurvePoint]]
    breaches: list[LimitBreach]


class MethodDifference(TypedDict):
    """Mean difference of a and b over their common seeds; `p_value` is the median of `p_values`, one per seed."""

    a: str
    b: str
    metric: str
    difference: float
    p_values: list[float]
    p_value: float


class ComparisonFacts(TypedDict):
    """Settings of a comparison; `bootstrap` is the number of resamples, `signatures` are by method.

    `max_failures` are the limits of failure rates by challenge set, and of `all` others.
    """

    pair: LanguagePair
    updates: int
    jobs: int
    beam_size: int
    bootstrap: int
    baseline: str
    language: str
    signatures: dict[str, str]
    config: Facts
    max_failures: dict[str, float]


class MethodComparison(ComparisonFacts):
    """The whole file; `best` is by validation, `bins` has the names of the bins of both breakdowns.

    A method above a limit of failures is not the best.
    """

    distilmt_version: str
    date: str
    machine: Facts
    sentences: int
    best: str | None
    bins: dict[str, list[str]]
    teacher: ModelResult
    methods: list[Method]
    comparisons: list[MethodDifference]
