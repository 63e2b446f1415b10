"""Pairs of systems: their differences in score, and their ratios of size and speed."""

from __future__ import annotations

from dataclasses import dataclass

from distilmt.config.choices import Metric
from distilmt.evaluation.quality import Comparison, are_too_low
from distilmt.report.format import number_or_none
from distilmt.report.schema import RunReport, System

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class ScoreDifference:
    """A system's score minus another's, with p value and 95 % interval if the two were compared."""

    change: float
    p_value: float | None = None
    interval: tuple[float, float] | None = None
    is_too_low: bool = False
    """Whether both systems are below the metric's floor."""

    @property
    def is_significant(self) -> bool | None:
        """Whether the difference is significant; None if not tested."""
        return None if self.p_value is None else self.p_value < SIGNIFICANT and not self.is_too_low

    def reversed(self) -> ScoreDifference:
        """The other system's score minus this one's."""
        interval = (-self.interval[1], -self.interval[0]) if self.interval else None
        return ScoreDifference(-self.change, self.p_value, interval, self.is_too_low)


def by_name(report: RunReport) -> dict[str, System]:
    """The report's systems by name."""
    return {system["name"]: system for system in report["systems"]}


def deployed_system(report: RunReport, base: str) -> str | None:
    """The int8 system of a kind (`student`, `baseline`), or else the float32 one, or else None."""
    systems = by_name(report)
    return next((name for name in (f"{base}-int8", base) if name in systems), None)


def teacher_system(report: RunReport) -> str | None:
    """The float32 teacher, or else its int8 export, or else None."""
    systems = by_name(report)
    return next((name for name in ("teacher", "teacher-int8") if name in systems), None)


def ratio(first: float | None, second: float | None) -> float | None:
    """First over second, or None if either is missing or not positive."""
    a, b = number_or_none(first), number_or_none(second)
    return a / b if a is not None and b is not None and a > 0 and b > 0 else None


def speed(system: System) -> float | None:
    """Sentences per second one by one, or None."""
    return number_or_none((system.get("sentences_per_second") or {}).get("batch_1"))


def difference(report: RunReport, a: str, b: str, metric: Metric = "bleu") -> ScoreDifference | None:
    """a's score minus b's; tested if the two were compared (in either order)."""
    for row in report["comparisons"]:
        if row["metric"] == metric and (tested := tested_difference(row)) is not None:
            if (row["a"], row["b"]) == (a, b):
                return tested
            if (row["a"], row["b"]) == (b, a):
                return tested.reversed()
    systems = by_name(report)
    scores = [number_or_none(systems[name].get(metric)) if name in systems else None for name in (a, b)]
    if scores[0] is None or scores[1] is None:
        return None
    return ScoreDifference(scores[0] - scores[1])


def tested_difference(row: Comparison) -> ScoreDifference | None:
    """The difference of a comparison, or None without one; reports hold null for what could not be computed."""
    change = number_or_none(row.get("difference"))
    low, high = (number_or_none(bound) for bound in row.get("ci") or (None, None))
    interval = None if low is None or high is None else (low, high)
    if change is None:
        return None
    a_score, b_score = number_or_none(row.get("a_score")), number_or_none(row.get("b_score"))
    is_too_low = a_score is not None and b_score is not None and are_too_low(row["metric"], a_score, b_score)
    return ScoreDifference(change, number_or_none(row.get("p_value")), interval, is_too_low)
