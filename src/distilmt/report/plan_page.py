"""The page of a plan: how much to label, the curve, and what every size costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distilmt.report.format import escape, number
from distilmt.report.layout import Page, frame, in_language, made, note, plain_table, sections, titled
from distilmt.report.plan_words import WORDS, findings, headline, law, metric, notes
from distilmt.report.plots import Fitted, fitted_curve

_STYLE = (
    ".plot .band { fill: var(--c); fill-opacity: .15; } .plot .upright { stroke: var(--quiet); stroke-dasharray: 4 4; }"
)

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def render(found: Mapping[str, Any], tables: Sequence[Table], told: str) -> str:
    """The page as HTML.

    Args:
        found: what `report.plan.write` writes.
        tables: heads and rows of what every size costs, and of what was trained.
        told: what the columns of the first mean.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    words = in_language(WORDS, found["language"])
    costs, trained = (plain_table(*table, words["table"]) for table in tables)
    drawn = words["curve_note"].format(metric=metric(found), level=f"{100 * found['level']:g}")
    remarks = "".join(note(line) for line in notes(found, words))
    parts = [
        (words["curve"], _plot(found, words["curve"]) + note(drawn) + note(law(found, words))),
        (words["table"], costs + note(told) + remarks),
        (words["measured"], trained),
    ]
    page = Page(
        language=found["language"],
        title=titled(found, words),
        headline=headline(found, words),
        findings="".join(f"<li>{escape(line)}</li>" for line in findings(found, words)),
        sections=sections(parts),
        made=made(found, words),
        style=_STYLE,
    )
    return frame(page)


def _plot(found: Mapping[str, Any], title: str) -> str:
    name = metric(found)
    points = [
        (float(p["size"]), float(p[found["metric"]]), f"{number(p['size'], 0)}: {number(p[found['metric']], 2)} {name}")
        for p in found["points"]
        if p["updates"] == found["updates"]
    ]
    drawn = Fitted(points, [tuple(row) for row in found["drawn"]], float(found["total"]))
    return f'<figure class="wide">{fitted_curve(drawn, "", name, title)}</figure>'
