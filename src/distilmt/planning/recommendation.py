"""Recommended number of sentences to label: a learning curve and the cost of every size."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict

import numpy as np

from distilmt.planning.learning_curve import LEVEL, LearningCurve, fit, interval
from distilmt.utils.json_types import JsonObject

METRICS = ("bleu", "chrf", "cross_entropy")
USUAL_NOISE = {"bleu": 0.3, "chrf": 0.3, "cross_entropy": 0.01}
"""Prior for seed noise (standard deviation), updated by the measurements."""
_ROUND = (1, 3)
_MIN_BLEU = 3.0
"""BLEU below which students have not learned enough to compare sizes."""


@dataclass(frozen=True)
class LearningCurvePoint:
    """A training and its validation scores."""

    size: int
    """Number of training sentences."""
    seed: int
    updates: int
    bleu: float
    chrf: float
    cross_entropy: float
    """Cross-entropy of the references, nats per token."""
    train_seconds: float


@dataclass(frozen=True)
class LabelingCosts:
    """Cost of labeling and training."""

    label_seconds: float | None
    """Per sentence; None if not measured."""
    label_bytes: float
    """A sentence."""
    train_seconds: float
    """Training of the run's student for its own updates, independent of the number of sentences."""
    batches: float
    """Updates of one epoch per sentence: the product with the size is one epoch."""
    price: float | None = None
    """A sentence."""


@dataclass(frozen=True)
class LabelingDecision:
    """Inputs of the recommendation."""

    metric: str
    worth: float
    """Minimum gain of doubling, in points."""
    total: int
    """Available sentences."""
    updates: int
    """Updates of the plan's trainings, except those with half of them."""
    run_updates: int
    """Updates of the run's student."""


class SizeRow(TypedDict):
    """Scores and costs at a number of sentences; a score or gain is the best estimate and the bounds of an interval."""

    sentences: int
    beyond: bool
    """Whether it is more than the available text."""
    score: list[float]
    gain: list[float] | None
    """Over the row above."""
    cross_entropy: list[float]
    label_seconds: float | None
    label_bytes: float
    price: float | None
    train_seconds: float
    passes: float
    """Epochs of the run's student."""


class RecommendedSize(TypedDict):
    """The recommended number of sentences."""

    sentences: int
    interval: list[float]
    unbounded: float | None
    """The size by the law alone; null if it is infinite."""
    all: bool
    """Whether it is the whole text."""
    smallest: bool
    """Whether the smallest measured size is enough."""
    chance_of_all: float
    lost: list[float]
    """What the rest of the text would gain."""
    beyond: list[float]
    """What twice the text would gain."""


class MoreGain(TypedDict):
    """Gains of the last doubling of the updates and of the text."""

    size: int
    updates: list[float]
    text: list[float]
    chance_of_updates: float
    """Probability that updates gain more than text."""


class Recommendation(TypedDict):
    """The recommendation with all its inputs: the content of `plan.json`, without the run."""

    metric: str
    worth: float
    total: int
    updates: int
    run_updates: int
    level: float
    law: dict[str, float]
    """a, b and c of the law."""
    noise: float
    points: list[JsonObject]
    """The measured `LearningCurvePoint`s."""
    lines: list[SizeRow]
    learnt: bool
    """Whether the students learned enough for a recommendation."""
    recommended: RecommendedSize
    more: MoreGain | None
    drawn: list[list[float]]
    """The curve of the plot: size, score and the bounds of its interval."""
    rates: JsonObject
    """The `LabelingCosts`."""
    notes: list[JsonObject]
    """Warnings: `name` and its figures."""


def recommend(points: Sequence[LearningCurvePoint], decision: LabelingDecision, costs: LabelingCosts) -> Recommendation:
    """Compute the recommendation."""
    whole = [point for point in points if point.updates == decision.updates]
    curves = {name: _curve(whole, name, decision.updates / costs.batches) for name in METRICS}
    curve = curves[decision.metric]
    lines = _lines(curves, decision, costs)
    return Recommendation(
        metric=decision.metric,
        worth=decision.worth,
        total=decision.total,
        updates=decision.updates,
        run_updates=decision.run_updates,
        level=LEVEL,
        law=curve.law(),
        noise=float(curve.noise[0]),
        points=[asdict(point) for point in points],
        lines=lines,
        learnt=max(point.bleu for point in whole) >= _MIN_BLEU,
        recommended=_recommended(curve, decision),
        more=_more(points, curve, decision),
        drawn=[[size, *interval(curve.scores(size))] for size in _spaced(curve.low, 2 * decision.total)],
        rates=asdict(costs),
        notes=_notes(whole, decision, costs),
    )


def _curve(points: Sequence[LearningCurvePoint], metric: str, views: float) -> LearningCurve:
    """Curve of a metric; cross-entropies are negated, so that higher is better."""
    sign = -1 if metric == "cross_entropy" else 1
    return fit([p.size for p in points], [sign * getattr(p, metric) for p in points], USUAL_NOISE[metric], views)


def table_sizes(low: int, total: int) -> list[int]:
    """Round numbers from the smallest subset upward, then all available sentences, then twice as many."""
    powers = range(int(math.log10(max(1, low))), int(math.log10(total)) + 1)
    between = [m * 10**power for power in powers for m in _ROUND if low <= m * 10**power < 0.9 * total]
    return [*between, total, 2 * total]


def _lines(curves: dict[str, LearningCurve], decision: LabelingDecision, costs: LabelingCosts) -> list[SizeRow]:
    curve, before = curves[decision.metric], None
    rows: list[SizeRow] = []
    for size in table_sizes(int(curve.low), decision.total):
        loss = interval(-curves["cross_entropy"].scores(size))
        rows.append(
            {
                "sentences": size,
                "beyond": size > decision.total,
                "score": interval(curve.scores(size)),
                "gain": interval(curve.gains(before, size)) if before else None,
                "cross_entropy": loss,
                "label_seconds": None if costs.label_seconds is None else size * costs.label_seconds,
                "label_bytes": size * costs.label_bytes,
                "price": None if costs.price is None else size * costs.price,
                "train_seconds": costs.train_seconds,
                "passes": decision.run_updates / (size * costs.batches),
            }
        )
        before = size
    return rows


def _recommended(curve: LearningCurve, decision: LabelingDecision) -> RecommendedSize:
    """The smallest size beyond which doubling gains less than the minimum, at most the available text."""
    sufficient_size, low, high = interval(curve.sufficient_size(decision.worth))
    bounds = [min(max(value, curve.low), float(decision.total)) for value in (sufficient_size, low, high)]
    sentences = decision.total if sufficient_size >= decision.total else min(decision.total, round_up(bounds[0]))
    return {
        "sentences": sentences,
        "interval": bounds[1:],
        "unbounded": sufficient_size if math.isfinite(sufficient_size) else None,
        "all": bool(sufficient_size >= decision.total),
        "smallest": bool(sufficient_size <= curve.low),
        "chance_of_all": float(np.mean(curve.sufficient_size(decision.worth)[1:] >= decision.total)),
        "lost": interval(curve.gains(sentences, decision.total)),
        "beyond": interval(curve.gains(decision.total, 2 * decision.total)),
    }


def round_up(value: float) -> int:
    """Round up to two digits."""
    step = 10 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return int(math.ceil(value / step - 1e-9) * step)


def _more(points: Sequence[LearningCurvePoint], curve: LearningCurve, decision: LabelingDecision) -> MoreGain | None:
    """Gains of the last doubling of the updates and of the text, at the biggest size."""
    biggest = max(point.size for point in points)
    full, half = (
        [getattr(p, decision.metric) for p in points if p.size == biggest and (p.updates == decision.updates) == whole]
        for whole in (True, False)
    )
    if not half:
        return None
    gain = statistics.mean(full) - statistics.mean(half)
    draws = gain + curve.noise * np.random.default_rng(2).standard_normal(len(curve.noise)) * math.sqrt(2 / len(half))
    draws[0] = gain
    text = curve.gains(biggest / 2, biggest)
    chance = float(np.mean(draws[1:] > text[1:]))
    return {"size": biggest, "updates": interval(draws), "text": interval(text), "chance_of_updates": chance}


def _spaced(low: float, high: float, count: int = 60) -> list[float]:
    return [float(size) for size in np.geomspace(low, high, count)]


def _notes(points: Sequence[LearningCurvePoint], decision: LabelingDecision, costs: LabelingCosts) -> list[JsonObject]:
    """Warnings: a name and its figures, which the page turns into text."""
    notes: list[JsonObject] = []
    seen = decision.updates / (decision.total * costs.batches)
    if decision.updates < decision.run_updates:
        notes.append({"name": "shorter", "updates": decision.updates, "run_updates": decision.run_updates})
    if seen < 2:
        notes.append({"name": "unseen", "updates": decision.updates, "passes": seen})
    if len(points) < 4:
        notes.append({"name": "three", "trainings": len(points)})
    notes.append({"name": "beyond"})
    return notes
