"""How much text is worth labelling: a learning curve beside what every size costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distilmt.planning.learning_curve import LEVEL, Curve, fit, interval

METRICS = ("bleu", "chrf", "cross_entropy")
USUAL_NOISE = {"bleu": 0.3, "chrf": 0.3, "cross_entropy": 0.01}
"""By how much trainings that differ in nothing but the seed usually differ: a beginning, which the points correct."""
_ROUND = (1, 3)
_LEARNT = 3.0
"""BLEU below which no student has learnt anything by which sizes could be told apart."""


@dataclass(frozen=True)
class Point:
    """A training and what it came to on the validation sentences."""

    size: int
    """Sentences it was trained on."""
    seed: int
    updates: int
    bleu: float
    chrf: float
    cross_entropy: float
    """Of the references, nats a token."""
    train_seconds: float


@dataclass(frozen=True)
class Rates:
    """What a size costs."""

    label_seconds: float | None
    """A sentence; None where nobody has measured it."""
    label_bytes: float
    """A sentence."""
    train_seconds: float
    """Of the run's student at its own updates, however many sentences."""
    batches: float
    """Updates in which a sentence is seen once, a sentence: their product with the size is one pass."""
    price: float | None = None
    """A sentence."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    metric: str
    worth: float
    """Points that doubling must gain."""
    total: int
    """Sentences there are."""
    updates: int
    """Of every training of the plan but those of half as many."""
    run_updates: int
    """Of the run's student."""


def answer(points: Sequence[Point], question: Question, rates: Rates) -> dict[str, Any]:
    """Everything that can be said.

    Returns:
        `learnt`, whether the students learnt enough to say anything; `recommended`; `lines`, a row for every size;
        `more`, what more updates and more text bring; `law` (a, b, c) and `noise` of the metric; `drawn`, the curve to
        be drawn; `points`; `rates`; `notes`. Scores and gains are lists of the best guess and an interval's two bounds.
    """
    whole = [point for point in points if point.updates == question.updates]
    curves = {name: _curve(whole, name, question.updates / rates.batches) for name in METRICS}
    curve = curves[question.metric]
    lines = _lines(curves, question, rates)
    return {
        **asdict(question),
        "level": LEVEL,
        "law": curve.law(),
        "noise": float(curve.noise[0]),
        "points": [asdict(point) for point in points],
        "lines": lines,
        "learnt": max(point.bleu for point in whole) >= _LEARNT,
        "recommended": _recommended(curve, question),
        "more": _more(points, curve, question),
        "drawn": [[size, *interval(curve.scores(size))] for size in _spaced(curve.low, 2 * question.total)],
        "rates": asdict(rates),
        "notes": _notes(whole, question, rates),
    }


def _curve(points: Sequence[Point], metric: str, views: float) -> Curve:
    """Of a metric; cross-entropies are turned round, so that higher is better."""
    sign = -1 if metric == "cross_entropy" else 1
    return fit([p.size for p in points], [sign * getattr(p, metric) for p in points], USUAL_NOISE[metric], views)


def sizes_told(low: int, total: int) -> list[int]:
    """Round numbers from the smallest subset on, then all there is, then twice that."""
    powers = range(int(math.log10(max(1, low))), int(math.log10(total)) + 1)
    between = [m * 10**power for power in powers for m in _ROUND if low <= m * 10**power < 0.9 * total]
    return [*between, total, 2 * total]


def _lines(curves: dict[str, Curve], question: Question, rates: Rates) -> list[dict[str, Any]]:
    curve, before, found = curves[question.metric], None, []
    for size in sizes_told(int(curve.low), question.total):
        loss = interval(-curves["cross_entropy"].scores(size))
        found.append(
            {
                "sentences": size,
                "beyond": size > question.total,
                "score": interval(curve.scores(size)),
                "gain": interval(curve.gains(before, size)) if before else None,
                "cross_entropy": loss,
                "label_seconds": None if rates.label_seconds is None else size * rates.label_seconds,
                "label_bytes": size * rates.label_bytes,
                "price": None if rates.price is None else size * rates.price,
                "train_seconds": rates.train_seconds,
                "passes": question.run_updates / (size * rates.batches),
            }
        )
        before = size
    return found


def _recommended(curve: Curve, question: Question) -> dict[str, Any]:
    """The smallest size past which doubling gains less than what it is worth, within the text there is."""
    wanted, low, high = interval(curve.enough(question.worth))
    bounds = [min(max(value, curve.low), float(question.total)) for value in (wanted, low, high)]
    sentences = question.total if wanted >= question.total else min(question.total, round_up(bounds[0]))
    return {
        "sentences": sentences,
        "interval": bounds[1:],
        "unbounded": wanted if math.isfinite(wanted) else None,
        "all": bool(wanted >= question.total),
        "smallest": bool(wanted <= curve.low),
        "chance_of_all": float(np.mean(curve.enough(question.worth)[1:] >= question.total)),
        "lost": interval(curve.gains(sentences, question.total)),
        "beyond": interval(curve.gains(question.total, 2 * question.total)),
    }


def round_up(value: float) -> int:
    """To two digits, upwards."""
    step = 10 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return int(math.ceil(value / step - 1e-9) * step)


def _more(points: Sequence[Point], curve: Curve, question: Question) -> dict[str, Any] | None:
    """What the last doubling of the updates brought, and that of the text, at the biggest size."""
    biggest = max(point.size for point in points)
    full, half = (
        [getattr(p, question.metric) for p in points if p.size == biggest and (p.updates == question.updates) == whole]
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


def _notes(points: Sequence[Point], question: Question, rates: Rates) -> list[dict[str, Any]]:
    """What to beware of: a name and its figures, which the page puts into words."""
    notes: list[dict[str, Any]] = []
    seen = question.updates / (question.total * rates.batches)
    if question.updates < question.run_updates:
        notes.append({"name": "shorter", "updates": question.updates, "run_updates": question.run_updates})
    if seen < 2:
        notes.append({"name": "unseen", "updates": question.updates, "passes": seen})
    if len(points) < 4:
        notes.append({"name": "three", "trainings": len(points)})
    notes.append({"name": "beyond"})
    return notes
