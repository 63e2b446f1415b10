"""The page of a comparison: the table, learning curves, and scores by length and word frequency."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from distilmt.report.comparison_schema import Method, MethodComparison, ModelResult
from distilmt.report.comparison_table import headings, note, rows
from distilmt.report.format import MISSING, number
from distilmt.report.languages import Translation, translation
from distilmt.report.plots import LineSeries, lines
from distilmt.report.rendering import Page, render_template
from distilmt.report.tables import Table

_COLORS = (
    "#4453c4",
    "#0b7a5c",
    "#a8560c",
    "#b3364f",
    "#7a4bb5",
    "#2a7fa3",
    "#6b7a12",
    "#c4529a",
    "#5b6470",
    "#8a6d1f",
)


@dataclass(frozen=True)
class ComparisonView:
    """What `comparison.html.j2` shows."""

    methods: Table
    note: str
    legend: Sequence[tuple[str, str]]
    """Class of the color, and name, of each curve."""
    curves: Markup | None
    by_length: Table
    by_frequency: Table
    signatures: Sequence[tuple[str, str]]
    colors: Sequence[tuple[str, str]]
    """Class and color of each method."""


def render(comparison: MethodComparison) -> str:
    """The page as HTML.

    Raises:
        UserError: it cannot be written in that language (`languages()` can).
    """
    _, pair = translation(comparison["language"]), comparison["pair"]
    table = rows(comparison, _)
    page = Page(
        title=_("Comparison of methods: %(source)s → %(target)s", source=pair["source"], target=pair["target"]),
        headline=_headline(comparison, table, _),
        version=comparison["distilmt_version"],
        date=comparison["date"],
    )
    curves = _curves(comparison["methods"])
    view = ComparisonView(
        methods=Table(_("Method"), [_("Method"), *headings(comparison, _)], table),
        note=note(comparison, _).replace("`", ""),
        legend=[(css, curve.label) for css, curve in curves],
        curves=_plot(curves, _),
        by_length=_breakdown(comparison, "length", _),
        by_frequency=_breakdown(comparison, "frequency", _),
        signatures=[(method["name"], method["signature"]) for method in comparison["methods"]],
        colors=[(_css(i), _COLORS[i % len(_COLORS)]) for i in range(len(comparison["methods"]))],
    )
    return render_template("comparison", comparison["language"], page, view)


def _css(index: int) -> str:
    return f"m-{index}"


def _headline(comparison: MethodComparison, table: Sequence[Sequence[str]], _: Translation) -> str:
    row = next((row for row in table if row[0] == comparison["best"]), None)
    if row is None and comparison["methods"]:
        return _("Every method fails more often than is allowed")
    if row is None:
        return _("No trained student yet")
    if not row[6]:
        return _("Best by validation: %(best)s, %(bleu)s BLEU", best=row[0], bleu=row[1])
    values = {"best": row[0], "bleu": row[1], "difference": row[6], "baseline": comparison["baseline"]}
    return _("Best by validation: %(best)s, %(bleu)s BLEU, %(difference)s against %(baseline)s", **values)


def _curves(methods: Sequence[Method]) -> list[tuple[str, LineSeries]]:
    """Class of the color and validation BLEU of each method, the mean over seeds at every update that all have."""
    curves = []
    for index, method in enumerate(methods):
        runs = [
            {row["update"]: bleu for row in curve if (bleu := row.get("bleu")) is not None}
            for curve in method["curves"]
        ]
        shared = sorted(set.intersection(*map(set, runs))) if runs else []
        points = [(float(update), statistics.mean(run[update] for run in runs)) for update in shared]
        if points:
            curves.append((_css(index), LineSeries(method["name"], method["name"], points)))
    return curves


def _plot(curves: Sequence[tuple[str, LineSeries]], _: Translation) -> Markup | None:
    if not curves:
        return None
    classes, series = zip(*curves, strict=True)
    return lines(series, _("updates"), _("Validation BLEU by update"), classes)


def _breakdown(comparison: MethodComparison, by: str, _: Translation) -> Table:
    """Means over seeds for each bin; the teacher is in the last row."""
    models = [*((m["name"], m["runs"]) for m in comparison["methods"]), ("teacher", [comparison["teacher"]])]
    return Table(
        _("Method"),
        [_("Method"), *comparison["bins"][by]],
        [[name, *_means([_bins(run, by) for run in runs])] for name, runs in models],
    )


def _bins(run: ModelResult, by: str) -> Sequence[float | None]:
    return run["by_length"] if by == "length" else run["by_frequency"]


def _means(runs: Sequence[Sequence[float | None]]) -> list[str]:
    """The mean over runs in each bin, or a dash if a run has none."""
    means = []
    for scores in zip(*runs, strict=True):
        measured = [score for score in scores if score is not None]
        means.append(number(statistics.mean(measured), 1) if len(measured) == len(scores) else MISSING)
    return means
