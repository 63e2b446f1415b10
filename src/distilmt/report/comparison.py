"""Comparison of methods: comparison.json, a table in Markdown, and a page with plots."""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from distilmt import __version__
from distilmt.config.failure_limits import FailureLimits
from distilmt.evaluation import quality, slices
from distilmt.evaluation.failure_rates import limit_breaches, mean_rates
from distilmt.report.build import to_strict_json
from distilmt.report.comparison_page import render
from distilmt.report.comparison_schema import (
    ComparisonFacts,
    Method,
    MethodComparison,
    MethodDifference,
    ModelResult,
    TrainedModel,
)
from distilmt.report.comparison_table import headings, note, rows
from distilmt.report.languages import translation
from distilmt.report.markdown import markdown_table
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text

_SEEDLESS = ("translations", "curve", "method")
_NO_LIMITS = FailureLimits()


@dataclass(frozen=True)
class TestData:
    """The test set, and the words of the training text by frequency."""

    sources: Sequence[str]
    references: Sequence[str]
    word_frequencies: Counter[str]
    target: str
    """Target language."""

    @functools.cached_property
    def length_bins(self) -> tuple[list[str], np.ndarray]:
        """Names of the bins by source length, and the bin of each sentence."""
        return slices.length_bins(self.sources)


def build(
    facts: ComparisonFacts,
    teacher: TrainedModel,
    students: Sequence[TrainedModel],
    test: tuple[Sequence[str], Sequence[str]],
    training_targets: Sequence[str],
    limits: FailureLimits = _NO_LIMITS,
) -> MethodComparison:
    """Build the content of a comparison.

    Args:
        facts: settings of the comparison.
        teacher: its scores by decoding, with `translations`.
        students: one for every trained method and seed.
        test: sources and references.
        training_targets: target side of the training text, for word frequencies.
        limits: of failure rates; students then have `failures`.
    """
    target = facts["pair"]["target"]
    data = TestData(*test, slices.word_frequencies(training_targets, target), target)
    names = [name for name in facts["signatures"] if any(s["method"] == name for s in students)]
    by = {name: [s for s in students if s["method"] == name] for name in names}
    methods = [_method(name, facts["signatures"][name], by[name], data, limits) for name in names]
    allowed = [method["name"] for method in methods if not method["breaches"]]
    best = max(allowed, key=lambda name: statistics.mean(s["validation"] for s in by[name])) if allowed else None
    return {
        **facts,
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "machine": machine(),
        "sentences": len(data.references),
        "best": best,
        "bins": {"length": data.length_bins[0], "frequency": slices.frequency_names()},
        "teacher": _result(teacher, data),
        "methods": methods,
        "comparisons": [
            row
            for name in names
            for other in dict.fromkeys((facts["baseline"], best))
            if name != other and other in by
            for row in _differences(name, str(other), by, data, facts["bootstrap"])
        ],
    }


def _method(
    name: str, signature: str, students: Sequence[TrainedModel], data: TestData, limits: FailureLimits
) -> Method:
    return Method(
        name=name,
        signature=signature,
        runs=[_result(student, data) for student in students],
        curves=[student["curve"] for student in students],
        breaches=limit_breaches(mean_rates([student["failures"] for student in students]), limits) if limits else [],
    )


def _result(model: TrainedModel, data: TestData) -> ModelResult:
    """The model's scores, with breakdowns of its translations."""
    lines = model["translations"]["beam"]
    result = cast(ModelResult, {key: value for key, value in model.items() if key not in _SEEDLESS})
    result["by_length"] = slices.chrf_by_length(lines, data.references, data.length_bins[1])
    result["by_frequency"] = slices.f1_by_frequency(lines, data.references, data.word_frequencies, data.target)
    return result


def _differences(
    name: str, other: str, by: Mapping[str, Sequence[TrainedModel]], data: TestData, samples: int
) -> list[MethodDifference]:
    """Mean difference over common seeds, and the median of their p values, one paired bootstrap per seed."""
    other_by_seed = {s["seed"]: s for s in by[other]}
    by_metric: dict[str, list[quality.Comparison]] = {}
    references = tuple(data.references)
    for student in by[name]:
        if student["seed"] in other_by_seed:
            a, b = (tuple(s["translations"]["beam"]) for s in (student, other_by_seed[student["seed"]]))
            for row in _paired((name, a), (other, b), references, data.target, samples):
                by_metric.setdefault(row["metric"], []).append(row)
    return [
        MethodDifference(
            a=name,
            b=other,
            metric=metric,
            difference=statistics.mean(row["difference"] for row in rows_),
            p_values=[row["p_value"] for row in rows_],
            p_value=statistics.median(row["p_value"] for row in rows_),
        )
        for metric, rows_ in by_metric.items()
    ]


# Tables are written after every student: finished comparisons are cached.
_paired = functools.cache(quality.paired_bootstrap)


def markdown(comparison: MethodComparison) -> str:
    """The main table and its explanation, as Markdown in English."""
    _, pair = translation("en"), comparison["pair"]
    signatures = [f"- {m['name']}: `{m['signature']}`" for m in comparison["methods"]]
    first = next((row for m in comparison["methods"] for row in m["runs"]), comparison["teacher"])
    best = f"Best by validation: {comparison['best']}." if comparison["best"] else ""
    if comparison["methods"] and not comparison["best"]:
        best = "Every method fails more often than is allowed."
    parts = [
        f"# Comparison, {pair['source']} → {pair['target']}",
        f"distilmt {comparison['distilmt_version']}, {comparison['date']}, "
        f"{comparison['machine'].get('cpu', '?')}. {best}",
        markdown_table(["method", *headings(comparison, _)], rows(comparison, _)),
        note(comparison, _),
        f"Scores: `{first['beam']['bleu_signature']}` and `{first['beam']['chrf_signature']}`.",
        "\n".join(signatures),
    ]
    return "\n\n".join(parts) + "\n"


def write(comparison: MethodComparison, directory: Path) -> None:
    """Write the three files, each atomically.

    Raises:
        UserError: the page cannot be written in that language (`languages()` can).
    """
    clean = to_strict_json(comparison)
    write_json(directory / "comparison.json", clean)
    write_text(directory / "comparison.md", markdown(clean))
    write_text(directory / "comparison.html", render(clean))
