"""Decoding options: what is refused, and what follows from them."""

import math

import pytest

from distilmt.config import LabelConfig
from distilmt.inference.base import DecodingOptions
from distilmt.labels.ensemble import decoding_options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam_size", 0),
        ("num_hypotheses", 0),
        ("batch_size", -1),
        ("sampling_temperature", -0.1),
        ("sampling_temperature", math.inf),
        ("length_penalty", math.nan),
        ("batch_type", "words"),
    ],
)
def test_an_option_out_of_bounds_is_named(option, value):
    with pytest.raises(ValueError, match=f"^{option} is .*: it must be "):
        DecodingOptions(**{option: value})


def test_a_search_keeps_as_many_hypotheses_as_it_returns():
    assert DecodingOptions(beam_size=2, num_hypotheses=5).beams == 5
    assert DecodingOptions(beam_size=6, num_hypotheses=5).beams == 6
    assert DecodingOptions(beam_size=6, num_hypotheses=5, sampling_temperature=0.7).beams == 1


def test_only_a_greedy_search_can_go_without_scores():
    assert not DecodingOptions(beam_size=1).has_scores
    assert DecodingOptions(beam_size=1, return_scores=True).has_scores
    assert DecodingOptions(beam_size=2).has_scores and DecodingOptions(beam_size=1, num_hypotheses=2).has_scores


def test_the_keys_of_labels_are_options():
    config = LabelConfig(beam_size=3, num_hypotheses=2, length_penalty=0.6, sampling_temperature=0.4)
    options = decoding_options(config)
    assert (options.beam_size, options.num_hypotheses, options.batch_type) == (3, 2, "tokens")
    assert (options.length_penalty, options.sampling_temperature) == (0.6, 0.4)
