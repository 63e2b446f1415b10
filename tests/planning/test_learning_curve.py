"""The learning curve against curves that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.planning import learning_curve

SIZES = [453, 906, 1812, 3624, 7248]
TOTAL = 28993


def law(a, b, c):
    return lambda n: a - b * np.asarray(n, float) ** -c


@pytest.mark.parametrize("truth", [law(36, 300, 0.5), law(60, 120, 0.25), law(30, 5000, 0.9)])
def test_a_law_without_noise_is_recovered(truth):
    result = learning_curve.fit(SIZES, truth(SIZES), usual_noise=0.01)
    for size in (*SIZES, TOTAL, 2 * TOTAL):
        guess, low, high = learning_curve.interval(result.scores(size))
        assert low <= truth(size) <= high
        assert guess == pytest.approx(truth(size), abs=0.35 if size > SIZES[-1] else 0.1)
    values = result.law()
    assert law(**values)(TOTAL) == pytest.approx(result.scores(TOTAL)[0], abs=1e-6)


def test_the_value_of_a_text_to_a_training():
    views = 40_000
    assert learning_curve.effective_size(100, views) == pytest.approx(100 * 16.4, rel=0.01), (
        "seen often: in proportion to the size"
    )
    assert learning_curve.effective_size(200, views) == pytest.approx(
        2 * learning_curve.effective_size(100, views), rel=0.01
    )
    assert learning_curve.effective_size(30_000, views) == pytest.approx(views, rel=0.01), (
        "a second look is nearly as good as the first"
    )
    assert learning_curve.effective_size(views, views) == learning_curve.effective_size(5 * views, views) == views
    worth = learning_curve.effective_size(np.geomspace(10, 10 * views, 300), views)
    assert (np.diff(worth) >= 0).all() and worth[-1] == views
    assert (learning_curve.effective_size(np.array([1.0, 9.0]), float("inf")) == [1, 9]).all()


def test_a_curve_that_flattens_for_want_of_updates_is_predicted():
    views = 43_900

    def truth(n):
        return law(58, 250, 0.18)(learning_curve.effective_size(n, views))

    result = learning_curve.fit(SIZES, truth(SIZES), 0.1, views)
    plain = learning_curve.fit(SIZES, truth(SIZES), 0.1)
    assert result.scores(TOTAL)[0] == pytest.approx(truth(TOTAL), abs=0.15)
    assert plain.scores(TOTAL)[0] > truth(TOTAL) + 0.5


def test_bounds_hold_as_often_as_they_should():
    random, held, widths = np.random.default_rng(3), [], []
    for number in range(120):
        truth = law(random.uniform(25, 60), random.uniform(80, 300), random.uniform(0.25, 0.6))
        scores = truth(SIZES) + random.normal(0, 0.3, len(SIZES))
        _, low, high = learning_curve.interval(learning_curve.fit(SIZES, scores, 0.3, seed=number).scores(TOTAL))
        held.append(low <= truth(TOTAL) <= high)
        widths.append(high - low)
    assert 0.82 <= np.mean(held) <= 0.98
    assert np.median(widths) < 6


def test_more_seeds_narrow_the_bounds():
    random, truth = np.random.default_rng(1), law(36, 300, 0.5)
    sizes = SIZES * 4
    scores = truth(sizes) + random.normal(0, 0.3, len(sizes))
    few, many = (learning_curve.interval(learning_curve.fit(sizes[:k], scores[:k], 0.3).scores(TOTAL)) for k in (5, 20))
    assert many[2] - many[1] < 0.8 * (few[2] - few[1])


def test_what_does_not_grow_gains_nothing():
    result = learning_curve.fit([100, 200, 400, 800], [30.2, 30.1, 29.9, 29.8], 0.1)
    assert result.gains(400, 800)[0] == 0 and result.sufficient_size(0.3)[0] == 0
    assert (result.rise >= 0).all()


def test_two_sizes_are_no_curve():
    with pytest.raises(ValueError, match="2 sizes"):
        learning_curve.fit([100, 100, 200], [1.0, 2.0, 3.0], 0.3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 60), min_size=3, max_size=6),
    st.floats(1.5, 8),
    st.floats(0.05, 2),
    st.sampled_from([float("inf"), 1e7, 5000.0]),
)
def test_more_text_never_hurts_and_doubling_brings_less_and_less(scores, step, worth, views):
    sizes = [50 * step**i for i in range(len(scores))]
    result = learning_curve.fit(sizes, scores, 0.3, views)
    requests = [sizes[0] * 2.0**i for i in range(8)]
    values = np.stack([result.scores(size) for size in requests])
    gains = np.diff(values, axis=0)
    assert np.isfinite(values).all()
    assert (gains >= -1e-6).all() and (np.diff(gains, axis=0) <= 1e-6).all()
    # What is enough is where doubling brings just the demanded gain.
    enough = result.sufficient_size(worth)[0]
    if 1 < enough < min(1e12, views / 2):
        assert result.gains(enough, 2 * enough)[0] == pytest.approx(worth, rel=1e-2, abs=1e-6)
    assert (result.sufficient_size(2 * worth) <= result.sufficient_size(worth)).all()
    guess, low, high = learning_curve.interval(values[-1])
    assert low <= guess <= high
