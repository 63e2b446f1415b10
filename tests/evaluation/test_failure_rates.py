"""Which challenge sets are failed more often than is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config.failure_limits import FailureLimits
from distilmt.evaluation import failure_rates
from distilmt.evaluation.challenge_runner import ChallengeResult
from distilmt.evaluation.challenge_sets import CHALLENGES
from distilmt.utils.errors import UserError

rates = st.dictionaries(st.sampled_from(sorted(CHALLENGES)), st.floats(0, 1))


def test_rates_are_shares_of_the_inputs():
    results = {"typos": ChallengeResult([True, False, False, True]), "capitals": ChallengeResult([])}
    assert failure_rates.failure_rates(results) == {"typos": 0.5}
    assert failure_rates.mean_rates([{"typos": 0.5, "names": 1.0}, {"typos": 0.0}]) == {"typos": 0.25}
    assert failure_rates.mean_rates([]) == {}


def test_the_largest_excess_is_first():
    limits = FailureLimits(0.1, {"typos": 0.5})
    breaches = failure_rates.limit_breaches({"typos": 0.55, "names": 0.3, "capitals": 0.1}, limits)
    assert [each["name"] for each in breaches] == ["names", "typos"]
    assert failure_rates.largest_excess(breaches) == pytest.approx(0.2) and failure_rates.largest_excess([]) == 0


@given(rates, st.floats(0, 1))
def test_a_breach_is_above_the_limit_and_all_others_are_not(measured, limit):
    broken = {each["name"] for each in failure_rates.limit_breaches(measured, FailureLimits(limit))}
    assert broken == {name for name, rate in measured.items() if rate > limit}


def test_sets_that_do_not_exist_or_have_no_input():
    failure_rates.check_set_names(FailureLimits(None, {"no full stop": 0.1, "alone or in a batch": 0.1}))
    with pytest.raises(UserError, match="'capitls' is no challenge set: did you mean 'capitals'"):
        failure_rates.check_set_names(FailureLimits(None, {"capitls": 0.1}))
    failure_rates.check_measured(FailureLimits(0.1), [])
    with pytest.raises(UserError, match="'capitals' no input"):
        failure_rates.check_measured(FailureLimits(None, {"capitals": 0.1}), ["typos"])
