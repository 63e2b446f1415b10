"""Comparison of methods: comparison.json, a table in Markdown, and a page with plots."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.evaluation import quality, slices
from distilmt.report.build import to_strict_json
from distilmt.report.comparison_page import render
from distilmt.report.format import number, p_value, signed
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text

_SEEDLESS = ("translations", "curve", "method")


def build(
    about: Mapping[str, Any],
    teacher: Mapping[str, Any],
    students: Sequence[Mapping[str, Any]],
    test: tuple[Sequence[str], Sequence[str]],
    training_targets: Sequence[str],
) -> dict[str, Any]:
    """Build the content of a comparison.

    Args:
        about: facts of the comparison: pair, updates, baseline, signatures, …
        teacher: its scores by decoding, with `translations`.
        students: one for every trained method and seed.
        test: sources and references.
        training_targets: target side of the training text, for word frequencies.
    """
    target = about["pair"]["target"]
    names = [name for name in about["signatures"] if any(s["method"] == name for s in students)]
    word_frequencies = slices.word_frequencies(training_targets, target)
    length_names, bins = slices.length_bins(test[0])
    by = {name: [s for s in students if s["method"] == name] for name in names}
    best = max(names, key=lambda name: statistics.mean(s["validation"] for s in by[name])) if names else None
    return {
        **about,
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "machine": machine(),
        "sentences": len(test[1]),
        "best": best,
        "bins": {"length": length_names, "frequency": slices.frequency_names()},
        "teacher": _without(teacher) | _breakdown(teacher, test[1], bins, word_frequencies, target),
        "methods": [
            {
                "name": name,
                "signature": about["signatures"][name],
                "runs": [_without(s) | _breakdown(s, test[1], bins, word_frequencies, target) for s in by[name]],
                "curves": [s["curve"] for s in by[name]],
            }
            for name in names
        ],
        "comparisons": [
            row
            for name in names
            for other in dict.fromkeys((about["baseline"], best))
            if name != other and other in by
            for row in _compared(name, str(other), by, test[1], target, about["bootstrap"])
        ],
    }


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _SEEDLESS}


def _breakdown(
    row: Mapping[str, Any], references: Sequence[str], bins: Any, word_frequencies: Any, target: str
) -> dict[str, Any]:
    lines = row["translations"]["beam"]
    return {
        "by_length": slices.chrf_by_length(lines, references, bins),
        "by_frequency": slices.f1_by_frequency(lines, references, word_frequencies, target),
    }


def _compared(
    name: str, other: str, by: Mapping[str, Any], references: Sequence[str], target: str, samples: int
) -> list[dict[str, Any]]:
    """Mean difference over common seeds, and the median of their p values, one paired bootstrap per seed."""
    other_by_seed = {s["seed"]: s for s in by[other]}
    by_metric: dict[str, list[quality.Comparison]] = {}
    for student in by[name]:
        if student["seed"] in other_by_seed:
            lines = [s["translations"]["beam"] for s in (student, other_by_seed[student["seed"]])]
            for row in _paired((name, tuple(lines[0])), (other, tuple(lines[1])), tuple(references), target, samples):
                by_metric.setdefault(row["metric"], []).append(row)
    return [
        {
            "a": name,
            "b": other,
            "metric": metric,
            "difference": statistics.mean(row["difference"] for row in rows),
            "p_values": [row["p_value"] for row in rows],
            "p_value": statistics.median(row["p_value"] for row in rows),
        }
        for metric, rows in by_metric.items()
    ]


# Tables are written after every student: finished comparisons are cached.
_paired = functools.cache(quality.paired_bootstrap)


def values(method: Mapping[str, Any], *path: str) -> list[float]:
    """Values of a figure over all runs of a method that have it, such as `values(method, "beam", "bleu")`."""
    figures = []
    for row in method["runs"]:
        value: Any = row
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            figures.append(float(value))
    return figures


def mean_and_deviation(figures: Sequence[float], digits: int = 2, factor: float = 1.0) -> str:
    """Mean, and the standard deviation if there are several seeds."""
    if not figures:
        return "–"
    scaled = [factor * value for value in figures]
    middle = number(statistics.mean(scaled), digits)
    return f"{middle} ± {number(statistics.stdev(scaled), digits)}" if len(scaled) > 1 else middle


HEADS = (
    "BLEU",
    "chrF",
    "greedy",
    "int8",
    "validation",
    "against {baseline}",
    "cost",
    "agreement",
    "ECE",
    "entropy",
    "mode",
)


def rows(comparison: Mapping[str, Any]) -> list[list[str]]:
    """The main table, the teacher last: name, then the columns of `HEADS`."""
    base = next((m for m in comparison["methods"] if m["name"] == comparison["baseline"]), None)
    cost = statistics.median(values(base, "train_seconds")) if base else None
    table = [
        [m["name"], *_scores(m), _against(m["name"], comparison), _cost(m, cost), *_token_metrics(m)]
        for m in comparison["methods"]
    ]
    teacher = {"runs": [comparison["teacher"]]}
    return [*table, ["teacher", *_scores(teacher), "", "", *_token_metrics(teacher)]]


def _scores(method: Mapping[str, Any]) -> list[str]:
    paths = (("beam", "bleu"), ("beam", "chrf"), ("greedy", "bleu"), ("int8", "bleu"), ("validation",))
    return [mean_and_deviation(values(method, *path)) for path in paths]


def _token_metrics(method: Mapping[str, Any]) -> list[str]:
    one = "words"
    return [
        mean_and_deviation(values(method, one, "agreement"), 1, 100),
        mean_and_deviation(values(method, one, "calibration_error"), 1, 100),
        mean_and_deviation(values(method, one, "entropy")),
        mean_and_deviation(values(method, one, "mode_mass"), 1, 100),
    ]


def _against(name: str, comparison: Mapping[str, Any]) -> str:
    rows_ = [
        c for c in comparison["comparisons"] if (c["a"], c["b"], c["metric"]) == (name, comparison["baseline"], "bleu")
    ]
    return f"{signed(rows_[0]['difference'], 2)} ({p_value(rows_[0]['p_value'])})" if rows_ else ""


def _cost(method: Mapping[str, Any], base: float | None) -> str:
    taken = values(method, "train_seconds")
    return f"{statistics.median(taken) / base:.2f}" if taken and base else "–"


NOTE = (
    "Over {sentences} test sentences: mean and standard deviation over seeds {seeds}. BLEU and chrF of float32 models "
    "at beam {beam}; `greedy` and `int8` (at beam {beam}) are BLEU; `validation` is the best validation score, of the "
    "saved model; against {baseline}: mean difference in BLEU and the median over seeds of p of a paired bootstrap; "
    "`cost`: training time as a multiple of that of {baseline} (with validation). Per token of the references: "
    "agreement with the teacher on the top token (%), expected calibration error (%), entropy (nats); `mode`: "
    "mean probability of the model's own translations (%). {updates} updates each."
)


def note(comparison: Mapping[str, Any]) -> str:
    """Explanation of the columns."""
    seeds = sorted({row["seed"] for method in comparison["methods"] for row in method["runs"]})
    return NOTE.format(
        sentences=comparison["sentences"],
        seeds=", ".join(map(str, seeds)),
        beam=comparison["beam_size"],
        baseline=comparison["baseline"],
        updates=comparison["updates"],
    )


def markdown(comparison: Mapping[str, Any]) -> str:
    """The main table and its explanation, as Markdown."""
    heads = ["method", *(head.format(baseline=comparison["baseline"]) for head in HEADS)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows(comparison)]
    signatures = [f"- {m['name']}: `{m['signature']}`" for m in comparison["methods"]]
    first = next((row for m in comparison["methods"] for row in m["runs"]), comparison["teacher"])
    scores = " and ".join(f"`{first['beam'][key]}`" for key in ("bleu_signature", "chrf_signature"))
    best = f"Best by validation: {comparison['best']}." if comparison["best"] else ""
    parts = [
        f"# Comparison, {comparison['pair']['source']} → {comparison['pair']['target']}",
        f"distilmt {comparison['distilmt_version']}, {comparison['date']}, "
        f"{comparison['machine'].get('cpu', '?')}. {best}",
        "\n".join(lines),
        note(comparison),
        f"Scores: {scores}.",
        "\n".join(signatures),
    ]
    return "\n\n".join(parts) + "\n"


def write(comparison: Mapping[str, Any], directory: Path) -> None:
    """Write the three files, each atomically."""
    clean = to_strict_json(comparison)
    write_json(directory / "comparison.json", clean)
    write_text(directory / "comparison.md", markdown(clean))
    write_text(directory / "comparison.html", render(clean, heads(clean), rows(clean), note(clean)))


def heads(comparison: Mapping[str, Any]) -> list[str]:
    """Headings of the main table's columns."""
    return [head.format(baseline=comparison["baseline"]) for head in HEADS]
