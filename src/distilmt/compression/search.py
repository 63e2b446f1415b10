"""Search for the smallest or fastest variant of a student that meets a quality constraint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distilmt.config import ComputeType
from distilmt.config.choices import CompressionGoal
from distilmt.evaluation.failure_rates import LimitBreach, largest_excess


@dataclass(frozen=True)
class Variant:
    """A deployable variant of a student."""

    shape: str
    """Name of the model: the student, or a pruned version of it."""
    compute_type: ComputeType
    shortlist: bool = False
    beam_size: int = 0
    bits: int = 8
    """Bits per weight."""
    packed: bool = False

    @property
    def export(self) -> str:
        """Name of the export directory; variants that differ only in beam size share it."""
        bits = f"-{self.bits}bit" if self.bits < 8 else ""
        ends = ("-shortlist" if self.shortlist else "") + ("-packed" if self.packed else "")
        return f"{self.shape}-{self.compute_type}{bits}{ends}"

    @property
    def name(self) -> str:
        """Name of the variant in tables."""
        return f"{self.export}, beam {self.beam_size}"


@dataclass(frozen=True)
class EvaluatedVariant:
    """A variant with its cost and its quality."""

    variant: Variant
    bytes: int
    """Size of all shipped files."""
    score: float
    """Score on the validation set."""
    milliseconds: float | None = None
    """Median latency of single sentences on one thread; None if not measured."""
    breaches: Sequence[LimitBreach] | None = None
    """Challenge sets on which it fails more often than is allowed; None if not measured."""


def satisfying(points: Sequence[EvaluatedVariant], floor: float) -> list[EvaluatedVariant]:
    """The variants that meet the constraint: a score of at least `floor`."""
    return [point for point in points if point.score >= floor]


def best(points: Sequence[EvaluatedVariant], floor: float, goal: CompressionGoal) -> EvaluatedVariant | None:
    """The smallest or fastest variant that meets the constraint, or None.

    Ties: of equally small variants the fastest, of equally fast ones the smallest, then the best score. For `fastest`,
    variants without a measured latency come last.
    """
    candidates = satisfying(points, floor)
    return min(candidates, key=lambda point: _cost(point, goal)) if candidates else None


def closest(points: Sequence[EvaluatedVariant], goal: CompressionGoal) -> EvaluatedVariant:
    """The variant with the best score, if none meets the constraint."""
    return min(points, key=lambda point: (-point.score, _cost(point, goal)))


def cheapest_first(points: Sequence[EvaluatedVariant], goal: CompressionGoal) -> list[EvaluatedVariant]:
    """The variants in the order in which `best` prefers them."""
    return sorted(points, key=lambda point: _cost(point, goal))


def least_excessive(points: Sequence[EvaluatedVariant], goal: CompressionGoal) -> EvaluatedVariant:
    """The variant that exceeds the limits of failures by least, if each exceeds one."""
    return min(points, key=lambda point: (largest_excess(point.breaches or ()), _cost(point, goal)))


def frontier(points: Sequence[EvaluatedVariant], goal: CompressionGoal) -> list[EvaluatedVariant]:
    """The Pareto frontier of score and cost, cheapest first."""
    frontier_points: list[EvaluatedVariant] = []
    for point in cheapest_first(points, goal):
        if not frontier_points or point.score > frontier_points[-1].score:
            frontier_points.append(point)
    return frontier_points


def _cost(point: EvaluatedVariant, goal: CompressionGoal) -> tuple[float, float, float]:
    time = float("inf") if point.milliseconds is None else point.milliseconds
    first, second = (point.bytes, time) if goal == "smallest" else (time, point.bytes)
    return first, second, -point.score
