"""The plots of a run's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from distilmt.report.differences import speed
from distilmt.report.format import number, number_or_none, rate, size
from distilmt.report.languages import Translation
from distilmt.report.plots import Bubble, LineSeries, lines, scatter, series
from distilmt.report.schema import CurvePoint, RunReport, System

Curves = Mapping[str, Sequence[CurvePoint]]


@dataclass(frozen=True)
class Panel:
    """A plot as SVG, with its title."""

    title: str
    plot: Markup


@dataclass(frozen=True)
class CurvesView:
    """Plots of training loss and validation scores; the legend has the class of each color and a name."""

    legend: Sequence[tuple[str, str]]
    panels: Sequence[Panel]


def scatter_figure(report: RunReport, _: Translation) -> Markup | None:
    """Quality against speed as SVG; None if no system has both."""
    bubbles = [bubble for system in report["systems"] if (bubble := _bubble(system)) is not None]
    if not bubbles:
        return None
    return scatter(
        bubbles, _("sentences per second, one thread, batch 1 (log scale)"), "BLEU", _("Quality against speed")
    )


def curves_view(report: RunReport, _: Translation) -> CurvesView:
    """Training loss and validation scores of every model; without curves there are no panels."""
    curves = report["curves"]
    panels = [
        _panel(curves, "train_loss", _("Training loss per token"), _),
        _panel(curves, "bleu", _("Validation %(metric)s", metric="BLEU"), _),
        _panel(curves, "chrf", _("Validation %(metric)s", metric="chrF"), _),
    ]
    legend = [(series(name), name) for name, points in curves.items() if points]
    return CurvesView(legend, [panel for panel in panels if panel is not None])


def _bubble(system: System) -> Bubble | None:
    x, y = speed(system), number_or_none(system.get("bleu"))
    if x is None or x <= 0 or y is None:
        return None
    name, area = system["name"], number_or_none(system.get("file_bytes"))
    title = f"{name}: {number(y)} BLEU, {rate(x)}/s, {size(area)}"
    return Bubble(name, name, x, y, max(0.0, area or 0.0), title)


def _panel(curves: Curves, key: Literal["train_loss", "bleu", "chrf"], title: str, _: Translation) -> Panel | None:
    series_ = [LineSeries(name, name, points) for name, rows in curves.items() if (points := _points(rows, key))]
    return Panel(title, lines(series_, _("updates"), title)) if series_ else None


def _points(rows: Sequence[CurvePoint], key: Literal["train_loss", "bleu", "chrf"]) -> list[tuple[float, float]]:
    pairs = [(number_or_none(row.get("update")), number_or_none(row.get(key))) for row in rows]
    return [(x, y) for x, y in pairs if x is not None and y is not None]
