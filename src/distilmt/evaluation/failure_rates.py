"""Failure rates on the challenge sets, and which of them are above their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from distilmt.config.failure_limits import FailureLimits, plain_set_name
from distilmt.config.fields import suggestion
from distilmt.evaluation.challenge_runner import BATCH_INVARIANCE, ChallengeResult
from distilmt.evaluation.challenge_sets import CHALLENGES
from distilmt.utils.errors import UserError


class LimitBreach(TypedDict):
    """A challenge set on which a model fails more often than is allowed; `rate` and `limit` are shares."""

    name: str
    rate: float
    limit: float


def check_set_names(limits: FailureLimits) -> None:
    """Check that every limit is of a challenge set that exists.

    Raises:
        UserError: it is not.
    """
    set_names = [*CHALLENGES, BATCH_INVARIANCE]
    for name in limits.by_set:
        if name not in map(plain_set_name, set_names):
            raise UserError(f"max_failures: {name!r} is no challenge set{suggestion(name, set_names)}")


def check_measured(limits: FailureLimits, names: Iterable[str]) -> None:
    """Check that every set with a limit of its own has inputs.

    Raises:
        UserError: it has none.
    """
    measured = set(map(plain_set_name, names))
    for name in limits.by_set:
        if name not in measured:
            raise UserError(
                f"max_failures: the validation sentences give the challenge set {name!r} no input: leave its limit out"
            )


def failure_rates(results: Mapping[str, ChallengeResult]) -> dict[str, float]:
    """Share of failures by challenge set; sets without inputs are left out."""
    return {name: sum(result.failed) / len(result.failed) for name, result in results.items() if result.failed}


def mean_rates(rates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over several models, of the sets that all of them have."""
    names = [name for name in rates[0] if all(name in other for other in rates)] if rates else []
    return {name: sum(each[name] for each in rates) / len(rates) for name in names}


def limit_breaches(rates: Mapping[str, float], limits: FailureLimits) -> list[LimitBreach]:
    """The sets on which the limit is exceeded, the largest excess first."""
    all_ = [(name, rate, limit) for name, rate in rates.items() if (limit := limits.of(name)) is not None]
    broken = sorted((each for each in all_ if each[1] > each[2]), key=lambda each: each[2] - each[1])
    return [LimitBreach(name=name, rate=rate, limit=limit) for name, rate, limit in broken]


def largest_excess(breaches: Sequence[LimitBreach]) -> float:
    """By how much the worst set is above its limit; 0 if none is."""
    return max((each["rate"] - each["limit"] for each in breaches), default=0.0)
