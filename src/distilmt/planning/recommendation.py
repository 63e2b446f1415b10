"""Recommended number of sentences to label: a learning curve and the cost of every size."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilmt.planning.learning_curve import LEVEL, LearningCurve, fit, interval
from distilmt.report.plan_schema import (
    LastDoubling,
    PlanLine,
    PlanNote,
    PlanPoint,
    PlanRates,
    Recommendation,
    RecommendedSize,
)

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


def recommend(points: Sequence[LearningCurvePoint], decision: LabelingDecision, costs: LabelingCosts) -> Recommendation:
    """Compute the recommendation from trained students."""
    whole = [point for point in points if point.updates == decision.updates]
    curves = {name: _curve(whole, name, decision.updates / costs.batches) for name in METRICS}
    curve = curves[decision.metric]
    lines = _lines(curves, decision, costs)
    return {
        "metric": decision.metric,
        "worth": decision.worth,
        "total": decision.total,
        "updates": decision.updates,
        "run_updates": decision.run_updates,
        "level": LEVEL,
        "law": curve.law(),
        "noise": float(curve.noise[0]),
        "points": [_point(point) for point in points],
        "lines": lines,
        "learned": max(point.bleu for point in whole) >= _MIN_BLEU,
        "recommended": _recommended(curve, decision),
        "more": _more(points, curve, decision),
        "curve": [[size, *interval(curve.scores(size))] for size in _spaced(curve.low, 2 * decision.total)],
        "rates": _rates(costs),
        "notes": _notes(whole, decision, costs),
    }


def _point(point: LearningCurvePoint) -> PlanPoint:
    return {
        "size": point.size,
        "seed": point.seed,
        "updates": point.updates,
        "bleu": point.bleu,
        "chrf": point.chrf,
        "cross_entropy": point.cross_entropy,
        "train_seconds": point.train_seconds,
    }


def _rates(costs: LabelingCosts) -> PlanRates:
    return {
        "label_seconds": costs.label_seconds,
        "label_bytes": costs.label_bytes,
        "train_seconds": costs.train_seconds,
        "batches": costs.batches,
        "price": costs.price,
    }


def _curve(points: Sequence[LearningCurvePoint], metric: str, views: float) -> LearningCurve:
    """Curve of a metric; cross-entropies are negated, so that higher is better."""
    sign = -1 if metric == "cross_entropy" else 1
    return fit([p.size for p in points], [sign * getattr(p, metric) for p in points], USUAL_NOISE[metric], views)


def table_sizes(low: int, total: int) -> list[int]:
    """Round numbers from the smallest subset upward, then all available sentences, then twice as many."""
    powers = range(int(math.log10(max(1, low))), int(math.log10(total)) + 1)
    between = [m * 10**power for power in powers for m in _ROUND if low <= m * 10**power < 0.9 * total]
    return [*between, total, 2 * total]


def _lines(curves: dict[str, LearningCurve], decision: LabelingDecision, costs: LabelingCosts) -> list[PlanLine]:
    curve, before = curves[decision.metric], None
    rows: list[PlanLine] = []
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


def _more(
    points: Sequence[LearningCurvePoint], curve: LearningCurve, decision: LabelingDecision
) -> LastDoubling | None:
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


def _notes(points: Sequence[LearningCurvePoint], decision: LabelingDecision, costs: LabelingCosts) -> list[PlanNote]:
    """Warnings: a name and its figures, which the page turns into text."""
    notes: list[PlanNote] = []
    seen = decision.updates / (decision.total * costs.batches)
    if decision.updates < decision.run_updates:
        notes.append({"name": "shorter", "updates": decision.updates, "run_updates": decision.run_updates})
    if seen < 2:
        notes.append({"name": "unseen", "updates": decision.updates, "passes": seen})
    if len(points) < 4:
        notes.append({"name": "three", "trainings": len(points)})
    notes.append({"name": "beyond"})
    return notes
