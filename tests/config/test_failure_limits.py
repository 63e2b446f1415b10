"""Limits of failure rates as they are written on a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config.command_loading import load_compress
from distilmt.config.commands import CompressConfig
from distilmt.config.failure_limits import FailureLimits, parse_failure_limits
from distilmt.config.flags import split_arguments
from distilmt.utils.errors import UserError

names = st.sampled_from(["capitals", "no full stop", "alone or in a batch", "typos", "x"])
shares = st.floats(0, 1, allow_nan=False)


def test_a_limit_of_all_sets_and_of_one():
    limits = parse_failure_limits(["0.05", "No-full_stop=0.2"])
    assert limits.of("capitals") == 0.05 and limits.of("no full stop") == 0.2
    assert limits.as_dict() == {"all": 0.05, "no full stop": 0.2}
    assert not parse_failure_limits([]) and FailureLimits(general=0.0)
    assert parse_failure_limits(["typos=0"]).of("capitals") is None


@given(st.none() | shares, st.dictionaries(names, shares, max_size=4))
def test_limits_are_read_as_they_were_written(general, by_set):
    texts = [f"{name}={share!r}" for name, share in by_set.items()] + ([] if general is None else [repr(general)])
    assert parse_failure_limits(texts) == FailureLimits(general, by_set)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["5%"], "write a share from 0 to 1"),
        (["1.1"], "write a share"),
        (["nan"], "write a share"),
        (["capitals"], "NAME=0.05"),
        ([""], "write a share"),
        (["=0.1"], "name a challenge set"),
        (["0.1", "0.2"], "two limits of all"),
        (["no-full-stop=0.1", "no full stop=0.1"], "two limits of no full stop"),
    ],
)
def test_what_is_refused(texts, message):
    with pytest.raises(UserError, match=message):
        parse_failure_limits(texts)


def test_the_flag_does_not_take_the_paths_after_it():
    given_arguments = split_arguments(["--max-failures", "0.05,typos=0.1", "runs/demo"], CompressConfig)
    assert given_arguments.positionals == ["runs/demo"]
    assert given_arguments.texts == {"max_failures": ["0.05", "typos=0.1"]}
    with pytest.raises(UserError, match="max_failures needs a value"):
        load_compress(["runs/demo", "--max-failures"])
