"""Which of many ways to deploy a student keeps a promise, and is the smallest or the fastest of those that do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Goal = Literal["smallest", "fastest"]


@dataclass(frozen=True)
class Variant:
    """A model as it is deployed."""

    shape: str
    """Name of the model: the student itself, or what became of it."""
    compute_type: str
    shortlist: bool = False
    beam_size: int = 0
    bits: int = 8
    """Of the weights' values."""
    packed: bool = False

    @property
    def export(self) -> str:
        """Name of the exported directory; variants that differ in their beam share it."""
        bits = f"-{self.bits}bit" if self.bits < 8 else ""
        ends = ("-shortlist" if self.shortlist else "") + ("-packed" if self.packed else "")
        return f"{self.shape}-{self.compute_type}{bits}{ends}"

    @property
    def name(self) -> str:
        """Stands for the variant in tables."""
        return f"{self.export}, beam {self.beam_size}"


@dataclass(frozen=True)
class EvaluatedVariant:
    """What a variant costs, and what it is worth."""

    variant: Variant
    bytes: int
    """Of everything that is shipped."""
    score: float
    """On the validation sentences."""
    milliseconds: float | None = None
    """Median of single sentences on one thread; None where it was not timed."""


def satisfying(points: Sequence[EvaluatedVariant], floor: float) -> list[EvaluatedVariant]:
    """Those that keep the promise."""
    return [point for point in points if point.score >= floor]


def best(points: Sequence[EvaluatedVariant], floor: float, goal: Goal) -> EvaluatedVariant | None:
    """The smallest or the fastest of those that keep the promise, or None.

    Of several as small the fastest, of several as fast the smallest; of several as both the one with the best score.
    Points that were not timed come last when speed is asked for.
    """
    candidates = satisfying(points, floor)
    return min(candidates, key=lambda point: _cost(point, goal)) if candidates else None


def closest(points: Sequence[EvaluatedVariant], goal: Goal) -> EvaluatedVariant:
    """The one that comes nearest to a promise which none keeps: that with the best score."""
    return min(points, key=lambda point: (-point.score, _cost(point, goal)))


def frontier(points: Sequence[EvaluatedVariant], goal: Goal) -> list[EvaluatedVariant]:
    """Those that no other beats in score and in cost alike, cheapest first."""
    ordered = sorted(points, key=lambda point: _cost(point, goal))
    frontier_points: list[EvaluatedVariant] = []
    for point in ordered:
        if not frontier_points or point.score > frontier_points[-1].score:
            frontier_points.append(point)
    return frontier_points


def _cost(point: EvaluatedVariant, goal: Goal) -> tuple[float, float, float]:
    time = float("inf") if point.milliseconds is None else point.milliseconds
    first, second = (point.bytes, time) if goal == "smallest" else (time, point.bytes)
    return first, second, -point.score
