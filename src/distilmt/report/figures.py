"""The plots of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distilmt.report.format import escape, number, number_or_none, rate, size
from distilmt.report.languages import Words
from distilmt.report.plots import Bubble, LineSeries, lines, scatter, series
from distilmt.report.summary import speed

_METRICS = (("bleu", "BLEU"), ("chrf", "chrF"))


def scatter_figure(report: Mapping[str, Any], words: Words) -> str:
    """Quality against speed; empty if no system has both."""
    bubbles = [bubble for system in report.get("systems") or [] if (bubble := _bubble(system)) is not None]
    if not bubbles:
        return ""
    plot = scatter(bubbles, words["scatter_x"], "BLEU", words["scatter"])
    return f'<figure class="wide">{plot}<figcaption>{words["scatter_note"]}</figcaption></figure>'


def curves_figure(report: Mapping[str, Any], words: Words) -> str:
    """Training loss and validation score of every model; empty without curves."""
    curves = report.get("curves") or {}
    loss = _panel(curves, "train_loss", words["loss"], words)
    chosen = [(key, label) for key, label in _METRICS if any(_points(points, key) for points in curves.values())]
    scores = [_panel(curves, key, words["validation"].format(metric=label), words) for key, label in chosen]
    panels = "".join(panel for panel in [loss, *scores] if panel)
    if not panels:
        return ""
    names = [name for name, points in curves.items() if points]
    return f'{_legend(names)}<div class="panels">{panels}</div><p class="note">{words["curves_note"]}</p>'


def _bubble(system: Mapping[str, Any]) -> Bubble | None:
    x, y = speed(system), number_or_none(system.get("bleu"))
    if x is None or x <= 0 or y is None:
        return None
    name, area = str(system["name"]), number_or_none(system.get("file_bytes"))
    title = f"{name}: {number(y)} BLEU, {rate(x)}/s, {size(area)}"
    return Bubble(name, name, x, y, max(0.0, area or 0.0), title)


def _panel(curves: Mapping[str, Sequence[Mapping[str, Any]]], key: str, title: str, words: Words) -> str:
    curve_lines = [LineSeries(name, name, points) for name, rows in curves.items() if (points := _points(rows, key))]
    if not curve_lines:
        return ""
    return f"<figure><figcaption>{escape(title)}</figcaption>{lines(curve_lines, words['updates'], title)}</figure>"


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    pairs = [(number_or_none(row.get("update")), number_or_none(row.get(key))) for row in rows]
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _legend(names: Sequence[str]) -> str:
    items = "".join(f'<li class="{series(name)}">{escape(name)}</li>' for name in names)
    return f'<ul class="legend">{items}</ul>'
