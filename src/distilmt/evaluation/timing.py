"""Timed passes over sentences, in the process that measures: of models by batches, of programs without their start."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, TypeVar

from distilmt.evaluation.energy import EnergyMeter
from distilmt.inference.base import DecodingOptions, Hypothesis
from distilmt.utils.run_dir import peak_rss

Input = TypeVar("Input", contravariant=True)
BATCH_SIZES = (1, 64)
LEAST_SENTENCES = 20
_WARM_UP = 8
_STARTS = 3
"""A program is started this often for the median of its start."""


class Measurement(TypedDict):
    """One fresh process, with the fields of `Speed`."""

    load_seconds: float
    sentences_per_second: dict[str, float]
    tokens_per_second: dict[str, float]
    latency_ms: dict[str, float]
    peak_rss_bytes: int
    sentences: dict[str, int]
    joules: dict[str, float | None]


@dataclass(frozen=True)
class Timing:
    """One pass over sentences: seconds and target tokens of each batch, number of sentences, and joules."""

    seconds: list[float]
    tokens: list[int]
    sentences: int
    joules: float | None = None


class Ranking(Protocol[Input]):
    """A model of text (`TranslationModel`), pictures (`ImageTranslator`) or speech (`SpeechTranslator`)."""

    def hypotheses(self, inputs: Sequence[Input], options: DecodingOptions, /) -> list[list[Hypothesis]]:
        """The translations of each input, best first; none for an empty one."""


def measure_model(
    translator: Ranking[Input], inputs: Sequence[Input], beam_size: int, max_seconds: float, load_seconds: float
) -> Measurement:
    """Time batches of 1 and of 64 inputs, after a few to warm up."""
    timings = {}
    for size in BATCH_SIZES:
        options = DecodingOptions(beam_size=beam_size, batch_size=size)
        translator.hypotheses(inputs[:_WARM_UP], options)
        timings[f"batch_{size}"] = time_batches(translator, inputs, options, max_seconds)
    single = timings["batch_1"].seconds
    return {
        "load_seconds": load_seconds,
        "sentences_per_second": {k: t.sentences / sum(t.seconds) for k, t in timings.items()},
        "tokens_per_second": {k: sum(t.tokens) / sum(t.seconds) for k, t in timings.items()},
        "latency_ms": {"p50": 1e3 * quantile(single, 0.5), "p95": 1e3 * quantile(single, 0.95)},
        "peak_rss_bytes": peak_rss(),
        "sentences": {k: t.sentences for k, t in timings.items()},
        "joules": {k: None if t.joules is None else t.joules / t.sentences for k, t in timings.items()},
    }


def measure_program(program: Ranking[str], sentences: Sequence[str], max_seconds: float) -> Measurement:
    """Time a program that is started for every batch, without its start: users start it once for all their lines.

    The start and the first sentence are the seconds to load. The others of one batch give the speed; a program decides
    for itself how many it translates at a time, so that both batch sizes have the same one.
    """
    options = DecodingOptions(batch_size=len(sentences))
    start = statistics.median(sum(time_batches(program, sentences[:1], options, 0).seconds) for _ in range(_STARTS))
    batch = time_batches(program, sentences[:LEAST_SENTENCES], options, 0)
    per_sentence = (sum(batch.seconds) - start) / max(1, batch.sentences - 1)
    if per_sentence * len(sentences) <= max_seconds:
        batch = time_batches(program, sentences, options, 0)
    # A program that translates as fast as it starts has no measurable time of its own.
    seconds = max(sum(batch.seconds) - start, 0.01 * sum(batch.seconds))
    rate = max(1, batch.sentences - 1) / seconds
    names = [f"batch_{size}" for size in BATCH_SIZES]
    return {
        "load_seconds": start,
        "sentences_per_second": dict.fromkeys(names, rate),
        "tokens_per_second": dict.fromkeys(names, rate * sum(batch.tokens) / batch.sentences),
        "latency_ms": {"p50": 1e3 / rate, "p95": 1e3 / rate},
        "peak_rss_bytes": peak_rss(),
        "sentences": dict.fromkeys(names, batch.sentences),
        "joules": dict.fromkeys(names, None if batch.joules is None else batch.joules / batch.sentences),
    }


def time_batches(
    model: Ranking[Input], inputs: Sequence[Input], options: DecodingOptions, max_seconds: float
) -> Timing:
    """Translate in batches until all inputs are done, or until the time is up and at least 20 are done."""
    seconds, tokens, done = [], [], 0
    begin, meter = time.perf_counter(), EnergyMeter()
    for start in range(0, len(inputs), options.batch_size):
        batch = inputs[start : start + options.batch_size]
        before = time.perf_counter()
        n_best_lists = model.hypotheses(batch, options)
        now = time.perf_counter()
        seconds.append(now - before)
        tokens.append(sum(len(hypotheses[0].tokens) for hypotheses in n_best_lists if hypotheses))
        done += len(batch)
        if now - begin >= max_seconds and done >= LEAST_SENTENCES:
            break
    return Timing(seconds, tokens, done, meter.joules())


def quantile(values: Sequence[float], share: float) -> float:
    """The `share` quantile: the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
