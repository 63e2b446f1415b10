import pytest

from distilmt.evaluation import timing
from distilmt.inference.base import DecodingOptions, Hypothesis


class Slow:
    """Stands in for a model: only the clock matters here."""

    def __init__(self, clock, seconds: float) -> None:
        self.clock, self.seconds, self.calls = clock, seconds, []

    def hypotheses(self, texts, options):
        self.clock.now += self.seconds * len(texts)
        self.calls.append((len(texts), options))
        return [[Hypothesis(text, list(text), 0.0)] if text else [] for text in texts]


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_all_sentences_are_timed_batch_by_batch(clock):
    model = Slow(clock, 0.5)
    options = DecodingOptions(beam_size=2, batch_size=3)
    passed = timing.time_batches(model, ["ab", "", "c", "d", "e", "f", "ghi"], options, max_seconds=100)
    assert passed.seconds == pytest.approx([1.5, 1.5, 0.5])
    assert passed.tokens == [3, 3, 3]
    assert passed.sentences == 7
    assert model.calls == [(3, options), (3, options), (1, options)]


def test_a_slow_model_stops_when_time_is_up_but_not_before_twenty_sentences(clock):
    sentences, options = ["x"] * 100, DecodingOptions(batch_size=1)
    assert timing.time_batches(Slow(clock, 1.0), sentences, options, max_seconds=5).sentences == 20
    assert timing.time_batches(Slow(clock, 1.0), sentences, options, max_seconds=30).sentences == 30


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.0, 1), (1.0, 100)])
def test_quantiles_are_values_that_occurred(share, expected):
    assert timing.quantile(list(range(100, 0, -1)), share) == expected


def test_quantile_of_one_value():
    assert timing.quantile([3.0], 0.95) == 3.0


class Program(Slow):
    """Stands in for a program: 3 seconds for its start, and `seconds` for a sentence."""

    def hypotheses(self, texts, options):
        self.clock.now += 3.0
        return super().hypotheses(texts, options)


def test_a_program_is_timed_without_its_start(clock):
    measured = timing.measure_program(Program(clock, 0.25), ["abcd"] * 40, max_seconds=20)
    assert measured["sentences_per_second"] == pytest.approx({"batch_1": 4.0, "batch_64": 4.0})
    assert measured["tokens_per_second"]["batch_1"] == pytest.approx(16.0)
    assert measured["load_seconds"] == pytest.approx(3.25) and measured["sentences"]["batch_64"] == 40


def test_of_a_slow_program_twenty_sentences_are_timed(clock):
    measured = timing.measure_program(Program(clock, 5.0), ["abcd"] * 40, max_seconds=20)
    assert measured["sentences"]["batch_1"] == 20
    assert measured["sentences_per_second"]["batch_1"] == pytest.approx(0.2)
