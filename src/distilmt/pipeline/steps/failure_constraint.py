"""Failure rates as a constraint: the challenge sets, made of validation sentences, run on exports to choose from."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.failure_limits import FailureLimits
from distilmt.evaluation import failure_rates
from distilmt.evaluation.challenge_sets import ChallengeData
from distilmt.evaluation.failure_rates import LimitBreach
from distilmt.pipeline.steps.challenges import challenge_data, read_results, write_results
from distilmt.utils.errors import UserError


def check_limits(config: RunConfig, limits: FailureLimits) -> None:
    """Check that a run has the challenge sets that limits need.

    Raises:
        UserError: it has none, or a limit is of a set that does not exist.
    """
    if not limits:
        return
    failure_rates.check_set_names(limits)
    if config.student.input != "text":
        raise UserError(
            "max_failures needs challenge sets, and these are texts, which the student does not read: leave it out"
        )
    if not config.evaluation.challenge_cases:
        raise UserError("max_failures needs challenge sets: set evaluation.challenge_cases of the run to 40, not 0")


@dataclass(frozen=True)
class FailureConstraint:
    """Failure rates of exports of a run, measured once and stored next to each."""

    config: RunConfig
    limits: FailureLimits

    @functools.cached_property
    def _data(self) -> ChallengeData:
        # The test sentences select nothing.
        return challenge_data(self.config, self.config.paths, "valid")

    def rates(self, export: Path, beam_size: int) -> dict[str, float]:
        """Share of failures by challenge set.

        Raises:
            UserError: a set with a limit of its own has no inputs.
        """
        cases = self.config.evaluation.challenge_cases
        file = export.parent / f"{export.name}-valid-beam{beam_size}-{cases}.health.json"
        if not file.exists():
            write_results(self.config, self._data, (export, beam_size), file)
        rates = failure_rates.failure_rates(read_results(file))
        failure_rates.check_measured(self.limits, rates)
        return rates

    def breaches(self, export: Path, beam_size: int) -> list[LimitBreach]:
        """The limits that an export exceeds."""
        return failure_rates.limit_breaches(self.rates(export, beam_size), self.limits)
