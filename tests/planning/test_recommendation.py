"""What is concluded from a curve."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.planning.recommendation import (
    LabelingCosts,
    LabelingDecision,
    LearningCurvePoint,
    recommend,
    round_up,
    table_sizes,
)

QUESTION = LabelingDecision("bleu", 0.3, 100_000, 1000, 1000)
RATES = LabelingCosts(label_seconds=0.01, label_bytes=200.0, train_seconds=60.0, batches=0.005)


LONG = 10**9
"""Updates in which any text is seen so often that only its size counts: the law is then one of sizes."""


def points(a, b, c, sizes=(1000, 2000, 4000, 8000, 16000), half=0.0, updates=1000):
    """Trainings that follow a law of sizes to the letter; the last with half the updates, by `half` worse."""
    scores = [a - b * n**-c for n in sizes]
    instance = [
        LearningCurvePoint(n, 1, updates, s, s + 20, 5 - s / 20, 30.0) for n, s in zip(sizes, scores, strict=True)
    ]
    return [*instance, replace(instance[-1], updates=updates // 2, bleu=scores[-1] - half, chrf=scores[-1] + 20 - half)]


def test_enough_lies_where_doubling_gains_less_than_it_costs():
    trained = points(36, 300, 0.5, sizes=(250, 500, 1000, 2000, 4000, 8000, 16000), updates=LONG)
    question = replace(QUESTION, updates=LONG, run_updates=LONG)
    row = recommend(trained, replace(question, worth=0.6), RATES)["recommended"]
    # 300·n^−½·(1 − 2^−½) = 0.6 at n = 21,447
    assert not row["all"] and not row["smallest"] and row["sentences"] == pytest.approx(21_447, rel=0.35)
    assert row["interval"][0] <= row["sentences"] and 0 <= row["chance_of_all"] < 0.5
    more = recommend(trained, replace(question, worth=1.2), RATES)["recommended"]
    assert more["sentences"] < row["sentences"] and more["lost"][0] > row["lost"][0]


def test_all_of_it_where_every_doubling_pays():
    question = replace(QUESTION, updates=LONG, run_updates=LONG)
    result = recommend(points(60, 150, 0.2, updates=LONG), question, RATES)
    assert result["recommended"]["all"] and result["recommended"]["sentences"] == 100_000
    assert result["recommended"]["beyond"][0] > 0.3 and result["recommended"]["chance_of_all"] > 0.9


def test_text_that_is_never_seen_need_not_be_labeled():
    """The same scores after so few updates that a fifth of the text is seen once: more of it can bring nothing."""
    row = recommend(points(60, 150, 0.2), QUESTION, replace(RATES, batches=0.05))["recommended"]
    assert not row["all"] and row["sentences"] <= 20_000 and row["lost"][0] < 0.3


def test_the_smallest_where_nothing_is_gained():
    result = recommend(points(30, 0.0, 0.5), QUESTION, RATES)
    assert result["recommended"]["smallest"] and result["recommended"]["sentences"] == 1000


def test_a_row_for_every_size_with_what_it_costs():
    result = recommend(points(36, 300, 0.5), QUESTION, replace(RATES, price=0.002))
    assert [row["sentences"] for row in result["lines"]] == [1000, 3000, 10_000, 30_000, 100_000, 200_000]
    assert [row["beyond"] for row in result["lines"]] == [False] * 5 + [True]
    assert result["lines"][0]["gain"] is None
    for before, row in zip(result["lines"], result["lines"][1:], strict=False):
        assert row["gain"][0] == pytest.approx(row["score"][0] - before["score"][0])
        assert row["gain"][0] > 0 and row["cross_entropy"][0] < before["cross_entropy"][0]
    row = result["lines"][2]
    assert (row["label_seconds"], row["label_bytes"], row["price"]) == (100.0, 2_000_000.0, 20.0)
    assert row["train_seconds"] == 60.0 and row["passes"] == pytest.approx(20)
    unpriced = recommend(points(36, 300, 0.5), QUESTION, replace(RATES, label_seconds=None))["lines"][0]
    assert unpriced["price"] is None and unpriced["label_seconds"] is None


@pytest.mark.parametrize(("half", "sure"), [(5.0, 1.0), (-5.0, 0.0)])
def test_whether_updates_or_text_are_lacking(half, sure):
    more = recommend(points(36, 300, 0.5, half=half), QUESTION, RATES)["more"]
    assert more["updates"][0] == pytest.approx(half) and more["size"] == 16_000
    assert more["chance_of_updates"] == pytest.approx(sure, abs=0.05)
    assert recommend(points(36, 300, 0.5)[:-1], QUESTION, RATES)["more"] is None


def test_what_to_beware_of():
    def names(trained, question, rates=RATES):
        return [note["name"] for note in recommend(trained, question, rates)["notes"]]

    assert names(points(36, 300, 0.5), QUESTION) == ["beyond"]
    assert names(points(36, 300, 0.5), replace(QUESTION, run_updates=9000)) == ["shorter", "beyond"]
    assert "unseen" in names(points(36, 300, 0.5), QUESTION, replace(RATES, batches=0.02))
    assert "three" in names(points(36, 300, 0.5, sizes=(1000, 2000, 4000)), QUESTION)


def test_students_that_learned_nothing_have_no_curve():
    assert not recommend(points(0.5, 1.0, 0.5), QUESTION, RATES)["learned"]
    assert recommend(points(36, 300, 0.5), QUESTION, RATES)["learned"]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_sizes_are_round_and_end_with_all_and_twice_that(low, total):
    low = min(low, total)
    result = table_sizes(low, total)
    assert result == sorted(set(result)) and result[-2:] == [total, 2 * total] and result[0] >= low
    assert all(str(size).rstrip("0") in ("1", "3") for size in result[:-2])


@given(st.floats(1, 1e12))
def test_rounding_goes_up_and_not_far(value):
    result = round_up(value)
    assert value * (1 - 1e-6) <= result <= 1.11 * value + 1
