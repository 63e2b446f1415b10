import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.planning import calibration
from distilmt.planning.calibration import Observation
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json

TRUE = {"starts": 3.0, "pairs": 0.0, "updates": 0.004, "layer FLOPs": 5e-12}


def observations(count: int, noise: float = 0.0) -> list[Observation]:
    rng = np.random.default_rng(3)
    result = []
    for _ in range(count):
        updates, shape = float(rng.integers(20, 200)), float(rng.uniform(1e9, 4e10))
        drivers = {"starts": 1.0, "pairs": 50.0, "updates": updates, "layer FLOPs": updates * shape}
        seconds = sum(TRUE[name] * value for name, value in drivers.items())
        result.append(Observation("teacher", "training", drivers, seconds * float(rng.uniform(1 - noise, 1 + noise))))
    return result


def test_rates_are_recovered_from_their_seconds():
    rates = calibration.fit_kind(observations(8), "training")
    assert rates["layer FLOPs"] == pytest.approx(5e-12, rel=1e-6)
    assert rates["updates"] == pytest.approx(0.004, rel=1e-6)
    # Pairs are always as many here: they cannot be separated from starts, together they make the rest.
    assert rates["starts"] + 50 * rates["pairs"] == pytest.approx(3.0, rel=1e-6)


def test_a_step_next_to_which_something_else_ran_does_not_spoil_the_remainder():
    seen = observations(9)
    seen[4].seconds *= 5
    rates = calibration.fit_kind(seen, "training")
    assert rates["layer FLOPs"] == pytest.approx(5e-12, rel=0.05) and rates["updates"] == pytest.approx(0.004, rel=0.3)


def test_ten_times_longer_is_predicted_from_noisy_short_runs():
    rates = calibration.fit_kind(observations(9, noise=0.05), "training")
    drivers = {"starts": 1.0, "pairs": 50.0, "updates": 2000.0, "layer FLOPs": 2000 * 2e10}
    real = sum(TRUE[name] * value for name, value in drivers.items())
    assert calibration.predict_seconds({"training": rates}, {"training": drivers}) == pytest.approx(real, rel=0.25)


def test_with_few_observations_only_the_pace_of_products_is_reported():
    seen = observations(2)
    rates = calibration.fit_kind(seen, "training")
    assert [name for name, rate in rates.items() if rate] == ["layer FLOPs"]
    whole = sum(o.seconds for o in seen) / sum(o.drivers["layer FLOPs"] for o in seen)
    assert rates["layer FLOPs"] == pytest.approx(whole)


def test_what_was_never_seen_is_not_predicted():
    assert calibration.fit_kind(observations(5), "labeling") is None
    assert calibration.predict_seconds({"training": TRUE}, {"labeling": {"starts": 1.0}}) is None
    assert calibration.predict_seconds({"training": TRUE}, {}) is None
    with pytest.raises(UserError, match="--calibrate"):
        calibration.fit_rates([], [], "runs/nothing")


@given(st.integers(1, 5), st.integers(5, 9), st.integers(0, 1000))
def test_nonnegative_is_the_best_there_is(columns, rows, seed):
    """Karush-Kuhn-Tucker: no rate is below zero, and none of those at zero would help if it grew."""
    rng = np.random.default_rng(seed)
    features, values = rng.random((rows, columns)), rng.standard_normal(rows)
    x = calibration.nonnegative_least_squares(features, values)
    gradient = features.T @ (features @ x - values)
    assert (x >= 0).all()
    assert (gradient > -1e-6).all() and np.abs(gradient[x > 0]).max(initial=0) < 1e-6


def test_rates_are_preserved_and_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rates = calibration.fit_rates(observations(6), [(1e8, 6 * 10**8)], "a test")
    assert rates.memory == 5e8 and rates.error["training"] < 0.1
    assert calibration.cache_path().parent == tmp_path / "distilmt"
    calibration.save(rates, calibration.cache_path())
    assert calibration.load(calibration.cache_path()) == rates
    former = read_json(calibration.cache_path())
    former["seconds"]["labelling"] = {"starts": 1.0}
    write_json(calibration.cache_path(), former)
    assert calibration.load(calibration.cache_path()).seconds["labeling"] == {"starts": 1.0}
    calibration.cache_path().write_text('{"seconds": {}}')
    with pytest.raises(UserError, match="--calibrate"):
        calibration.load(calibration.cache_path())
