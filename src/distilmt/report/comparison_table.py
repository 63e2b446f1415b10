"""The main table of a comparison of methods."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Literal

from distilmt.config.choices import Metric
from distilmt.report.challenges import breach_text, limit_text
from distilmt.report.comparison_schema import MethodComparison, ModelResult
from distilmt.report.format import MISSING, number, p_value, signed
from distilmt.report.languages import Translation

Figure = Callable[[ModelResult], float | None]


def headings(comparison: MethodComparison, _: Translation) -> list[str]:
    """Headings of the columns of figures."""
    return [
        "BLEU",
        "chrF",
        _("greedy"),
        "int8",
        _("validation"),
        _("against %(baseline)s", baseline=comparison["baseline"]),
        _("cost"),
        _("agreement"),
        "ECE",
        _("entropy"),
        _("mode"),
        *([_("above its limit")] if comparison.get("max_failures") else []),
    ]


def rows(comparison: MethodComparison, _: Translation) -> list[list[str]]:
    """A row for every method, the teacher last: name, then the columns of `headings`."""
    limits = comparison.get("max_failures")
    base = next((m["runs"] for m in comparison["methods"] if m["name"] == comparison["baseline"]), [])
    seconds = values(base, _train_seconds)
    cost = statistics.median(seconds) if seconds else None
    table = [
        [
            method["name"],
            *_scores(method["runs"]),
            _against(method["name"], comparison),
            _cost(method["runs"], cost),
            *_token_metrics(method["runs"]),
            *([breach_text(method["breaches"]) or _("none")] if limits else []),
        ]
        for method in comparison["methods"]
    ]
    teacher = [comparison["teacher"]]
    return [*table, ["teacher", *_scores(teacher), "", "", *_token_metrics(teacher), *([""] if limits else [])]]


def values(runs: Sequence[ModelResult], figure: Figure) -> list[float]:
    """Values of a figure over all runs that have it."""
    figures = [figure(run) for run in runs]
    return [float(value) for value in figures if value is not None]


def mean_and_deviation(figures: Sequence[float], digits: int = 2, factor: float = 1.0) -> str:
    """Mean, and the standard deviation if there are several seeds."""
    if not figures:
        return MISSING
    scaled = [factor * value for value in figures]
    middle = number(statistics.mean(scaled), digits)
    return f"{middle} ± {number(statistics.stdev(scaled), digits)}" if len(scaled) > 1 else middle


def _score(decoding: Literal["beam", "greedy", "int8"], metric: Metric) -> Figure:
    def figure(run: ModelResult) -> float | None:
        scores = run.get(decoding)
        return None if scores is None else scores[metric]

    return figure


def _token_metric(name: Literal["agreement", "calibration_error", "entropy", "mode_mass"]) -> Figure:
    def figure(run: ModelResult) -> float | None:
        metrics = run.get("token_metrics") or run.get("words")
        return None if metrics is None else metrics.get(name)

    return figure


def _train_seconds(run: ModelResult) -> float | None:
    return run.get("train_seconds")


def _scores(runs: Sequence[ModelResult]) -> list[str]:
    figures: list[Figure] = [
        _score("beam", "bleu"),
        _score("beam", "chrf"),
        _score("greedy", "bleu"),
        _score("int8", "bleu"),
        lambda run: run.get("validation"),
    ]
    return [mean_and_deviation(values(runs, figure)) for figure in figures]


def _token_metrics(runs: Sequence[ModelResult]) -> list[str]:
    """Agreement, calibration error and probability of the mode in per cent; entropy in nats."""
    return [
        mean_and_deviation(values(runs, _token_metric("agreement")), 1, 100),
        mean_and_deviation(values(runs, _token_metric("calibration_error")), 1, 100),
        mean_and_deviation(values(runs, _token_metric("entropy"))),
        mean_and_deviation(values(runs, _token_metric("mode_mass")), 1, 100),
    ]


def _against(name: str, comparison: MethodComparison) -> str:
    pair = (name, comparison["baseline"], "bleu")
    row = next((c for c in comparison["comparisons"] if (c["a"], c["b"], c["metric"]) == pair), None)
    return f"{signed(row['difference'], 2)} ({p_value(row['p_value'])})" if row else ""


def _cost(runs: Sequence[ModelResult], base: float | None) -> str:
    seconds = values(runs, _train_seconds)
    return f"{statistics.median(seconds) / base:.2f}" if seconds and base else MISSING


def note(comparison: MethodComparison, _: Translation) -> str:
    """Explanation of the columns; names of columns are in backticks."""
    seeds = sorted({row["seed"] for method in comparison["methods"] for row in method["runs"]})
    columns = _(
        "Over %(sentences)s test sentences: mean and standard deviation over seeds %(seeds)s. BLEU and chrF of float32 "
        "models at beam %(beam)s; `greedy` and `int8` (at beam %(beam)s) are BLEU; `validation` is the best validation "
        "score, of the saved model; against %(baseline)s: mean difference in BLEU and the median over seeds of p of a "
        "paired bootstrap; `cost`: training time as a multiple of that of %(baseline)s (with validation). Per token of "
        "the references: agreement with the teacher on the top token (%%), expected calibration error (%%), entropy "
        "(nats); `mode`: mean probability of the model's own translations (%%). %(updates)s updates each.",
        sentences=comparison["sentences"],
        seeds=", ".join(map(str, seeds)),
        beam=comparison["beam_size"],
        baseline=comparison["baseline"],
        updates=comparison["updates"],
    )
    limits = limit_text(comparison.get("max_failures") or {}, _)
    return f"{columns} {_limits_note(limits, _)}" if limits else columns


def _limits_note(limits: str, _: Translation) -> str:
    return _(
        "`above its limit`: challenge sets, made of validation sentences, on which the int8 students fail more often "
        "than is allowed (%(limits)s), means over seeds; such a method is not the best.",
        limits=limits,
    )
