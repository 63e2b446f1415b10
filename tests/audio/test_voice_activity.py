"""Spans of windows: begun and ended by probabilities, cut at pauses, complete as soon as their pause is over."""

import itertools

import numpy as np
import pytest

from distilmt.audio.voice_activity import MARGIN, OVERLAP, PAUSE, WINDOW, SpeechSpans, VoiceActivity


def spans(*parts: tuple[float, int], max_windows: int = 600) -> list[tuple[int, int]]:
    """Spans of probabilities, given as (probability, windows)."""
    finder = SpeechSpans(max_windows)
    probabilities = [value for value, count in parts for _ in range(count)]
    result = [span for value in probabilities for span in finder.add(value)]
    return [*result, *finder.finish()]


def test_a_span_has_a_margin_on_both_sides() -> None:
    assert spans((0.1, 30), (0.9, 20), (0.1, 40)) == [(30 - MARGIN, 50 + MARGIN)]
    assert spans((0.9, 20)) == [(0, 20)]


def test_a_span_is_complete_when_its_pause_is_over() -> None:
    finder = SpeechSpans(600)
    for value in [0.9] * 20 + [0.1] * (PAUSE - 1):
        assert not [*finder.add(value)]
    assert [*finder.add(0.1)] == [(0, 20 + MARGIN)]
    assert finder.needed == 20 + PAUSE - MARGIN


@pytest.mark.parametrize(
    "parts",
    [
        [(0.1, 100)],
        [(0.45, 100)],  # speech goes on at this probability, but does not begin
        [(0.7, 100)],  # no window is sure
        [(0.1, 9), (0.95, 4), (0.1, 50)],  # a click
    ],
)
def test_what_is_not_surely_speech_is_no_span(parts) -> None:
    assert spans(*parts) == []


def test_short_pauses_do_not_end_a_span() -> None:
    assert spans((0.9, 20), (0.1, PAUSE - 1), (0.4, 5), (0.9, 20), (0.1, 30)) == [(0, 60 + MARGIN)]


def test_two_spans_share_no_window() -> None:
    first, second = spans((0.9, 20), (0.1, PAUSE), (0.9, 20))
    assert first == (0, 20 + MARGIN) and second == (20 + PAUSE - MARGIN, 40 + PAUSE)


def test_a_long_span_is_cut_at_the_longest_pause_of_its_second_half() -> None:
    parts = [(0.9, 20), (0.1, 12), (0.9, 38), (0.1, 4), (0.9, 5), (0.1, 8), (0.9, 30), (0.1, 30)]
    first, second = spans(*parts, max_windows=100)
    assert first == (0, 79 + 4) and second == (79 + 4, 117 + MARGIN)


def test_speech_without_a_pause_is_cut_with_overlap() -> None:
    first, second, third = spans((0.9, 250), (0.1, 30), max_windows=100)
    assert first == (0, 100 - MARGIN) and second[0] == first[1] - OVERLAP
    assert third == (second[1] - OVERLAP, 250 + MARGIN)
    assert all(end - start <= 100 for start, end in (first, second, third))


def test_an_overlap_alone_is_no_span() -> None:
    assert spans((0.9, 94), (0.1, 30), max_windows=100) == [(0, 94)]


@pytest.mark.parametrize("seed", range(5))
def test_spans_are_in_order_and_no_longer_than_the_limit(seed) -> None:
    generator = np.random.default_rng(seed)
    values = np.repeat(generator.random(400), generator.integers(1, 40, 400))
    finder = SpeechSpans(62)
    result = []
    for value in values:
        for start, end in finder.add(value):
            result.append((start, end))
        assert finder.needed >= (result[-1][1] - OVERLAP if result else 0)
    result += finder.finish()
    assert len(result) > 20 and all(0 < end - start <= 62 for start, end in result)
    assert all(later[0] >= earlier[1] - OVERLAP for earlier, later in itertools.pairwise(result))


def test_probabilities_do_not_depend_on_the_blocks() -> None:
    pytest.importorskip("faster_whisper")
    samples = np.random.default_rng(0).standard_normal(40 * WINDOW).astype(np.float32) * 0.1
    whole, stream = VoiceActivity().probabilities(samples), VoiceActivity()
    parts = [stream.probabilities(part) for part in np.split(samples, [WINDOW, WINDOW, 9 * WINDOW])]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
