"""Schema of `plan.json`, the plan of how much text to label."""

from __future__ import annotations

from typing import Literal, TypedDict

from distilmt.report.schema import Facts, LanguagePair

Estimate = list[float]
"""The best estimate and the two bounds of an interval."""


class PlanPoint(TypedDict):
    """A trained student and its validation scores."""

    size: int
    seed: int
    updates: int
    bleu: float
    chrf: float
    cross_entropy: float
    train_seconds: float


class PlanLine(TypedDict):
    """A number of sentences: predicted scores and costs; `beyond` if there are not as many.

    `gain` is over the line before, null for the first. `passes` is how often training sees each sentence.
    """

    sentences: int
    beyond: bool
    score: Estimate
    gain: Estimate | None
    cross_entropy: Estimate
    label_seconds: float | None
    label_bytes: float
    price: float | None
    train_seconds: float
    passes: float


class RecommendedSize(TypedDict):
    """The recommendation: `unbounded` is the estimate without the limit of the available text (null if infinite).

    `all`, `smallest`: at that limit, at the smallest size. `lost`: gain of the sentences left out; `beyond`: gain of
    twice the available text.
    """

    sentences: int
    interval: list[float]
    unbounded: float | None
    all: bool
    smallest: bool
    chance_of_all: float
    lost: Estimate
    beyond: Estimate


class LastDoubling(TypedDict):
    """Gains of the last doubling of the updates and of the text, at the biggest size."""

    size: int
    updates: Estimate
    text: Estimate
    chance_of_updates: float


class PlanNote(TypedDict, total=False):
    """A warning by name, and its figures."""

    name: Literal["shorter", "unseen", "three", "beyond"]
    updates: int
    run_updates: int
    passes: float
    trainings: int


class PlanRates(TypedDict):
    """Costs a sentence, as in `distilmt.planning.recommendation.LabelingCosts`."""

    label_seconds: float | None
    label_bytes: float
    train_seconds: float
    batches: float
    price: float | None


class Recommendation(TypedDict):
    """The recommendation: for a metric and a minimum gain of doubling (`worth`).

    `learned`: whether the students learned enough for one. `law` has a, b and c. `curve` has rows of size, score and
    the bounds of the score.
    """

    metric: str
    worth: float
    total: int
    updates: int
    run_updates: int
    level: float
    law: dict[str, float]
    noise: float
    points: list[PlanPoint]
    lines: list[PlanLine]
    learned: bool
    recommended: RecommendedSize
    more: LastDoubling | None
    curve: list[list[float]]
    rates: PlanRates
    notes: list[PlanNote]


class PlanContent(Recommendation):
    """The recommendation with its language pair and the language of the report."""

    pair: LanguagePair
    language: str


class Plan(PlanContent):
    """The whole file."""

    distilmt_version: str
    date: str
    machine: Facts
