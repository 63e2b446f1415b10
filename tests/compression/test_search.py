from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from distilmt.compression import search
from distilmt.compression.search import EvaluatedVariant, Variant

SMALL = EvaluatedVariant(Variant("ffn", "int8", False, 1), bytes=10, score=20.0, milliseconds=5.0)
FAST = EvaluatedVariant(Variant("student", "int8", True, 1), bytes=30, score=21.0, milliseconds=1.0)
GOOD = EvaluatedVariant(Variant("student", "float32", False, 4), bytes=90, score=25.0, milliseconds=9.0)
POINTS = [GOOD, FAST, SMALL]

points = st.lists(
    st.builds(
        EvaluatedVariant,
        variant=st.just(Variant("student", "int8", False, 1)),
        bytes=st.integers(1, 9),
        score=st.integers(0, 9).map(float),
        milliseconds=st.none() | st.integers(1, 9).map(float),
    ),
    min_size=1,
)


def test_names():
    assert FAST.variant.name == "student-int8-shortlist, beam 1" and GOOD.variant.export == "student-float32"


def test_the_smallest_and_the_fastest_of_those_that_keep_the_promise():
    assert search.best(POINTS, 19, "smallest") is SMALL and search.best(POINTS, 19, "fastest") is FAST
    assert search.best(POINTS, 20.5, "smallest") is FAST and search.best(POINTS, 24, "fastest") is GOOD
    assert search.best(POINTS, 26, "smallest") is None
    assert search.closest(POINTS, "smallest") is GOOD


def test_what_is_as_small_but_faster_wins_and_what_was_not_timed_is_last():
    faster = replace(SMALL, milliseconds=2.0)
    untimed = replace(FAST, milliseconds=None)
    assert search.best([SMALL, faster], 0, "smallest") is faster
    assert search.best([untimed, GOOD], 0, "fastest") is GOOD


def test_without_a_variant_within_the_limits_of_failures_the_least_excess_wins():
    little, much = ({"name": "typos", "rate": rate, "limit": 0.1} for rate in (0.2, 0.9))
    failing = [replace(SMALL, breaches=[much]), replace(GOOD, breaches=[little]), replace(FAST, breaches=[much])]
    assert search.least_excessive(failing, "smallest").variant == GOOD.variant
    assert search.cheapest_first(failing, "fastest")[0].variant == FAST.variant


@given(points, st.integers(0, 10), st.sampled_from(["smallest", "fastest"]))
def test_what_is_chosen_is_on_the_frontier_of_those_that_keep_the_promise(result, floor, goal):
    best = search.best(result, floor, goal)
    if best is None:
        assert all(point.score < floor for point in result)
        return
    assert best.score >= floor
    if goal == "smallest":
        assert best.bytes == min(point.bytes for point in result if point.score >= floor)
    assert best in search.frontier([point for point in result if point.score >= floor], goal)


@given(points)
def test_a_frontier_rises_in_cost_and_score(result):
    frontier = search.frontier(result, "smallest")
    assert [p.bytes for p in frontier] == sorted(p.bytes for p in frontier)
    assert [p.score for p in frontier] == sorted({p.score for p in frontier})
    assert search.closest(result, "smallest").score == frontier[-1].score
