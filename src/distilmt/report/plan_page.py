"""The page of a plan: the recommended size, the curve, and the cost of every size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distilmt.report.format import escape, number
from distilmt.report.layout import Page, in_language, note, page_title, plain_table, provenance, render_page, sections
from distilmt.report.plan_words import WORDS, findings, headline, law, metric, notes
from distilmt.report.plots import FittedCurve, fitted_curve

_STYLE = (
    ".plot .band { fill: var(--c); fill-opacity: .15; } .plot .upright { stroke: var(--quiet); stroke-dasharray: 4 4; }"
)

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def render(plan: Mapping[str, Any], tables: Sequence[Table], table_note: str) -> str:
    """The page as HTML.

    Args:
        plan: the content that `report.plan.write` writes.
        tables: headings and rows of the costs of every size, and of the trained students.
        table_note: explanation of the columns of the first.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    words = in_language(WORDS, plan["language"])
    costs, trained = (plain_table(*table, words["table"]) for table in tables)
    curve_note = words["curve_note"].format(metric=metric(plan), level=f"{100 * plan['level']:g}")
    remarks = "".join(note(line) for line in notes(plan, words))
    parts = [
        (words["curve"], _plot(plan, words["curve"]) + note(curve_note) + note(law(plan, words))),
        (words["table"], costs + note(table_note) + remarks),
        (words["measured"], trained),
    ]
    page = Page(
        language=plan["language"],
        title=page_title(plan, words),
        headline=headline(plan, words),
        findings="".join(f"<li>{escape(line)}</li>" for line in findings(plan, words)),
        sections=sections(parts),
        provenance=provenance(plan, words),
        style=_STYLE,
    )
    return render_page(page)


def _plot(plan: Mapping[str, Any], title: str) -> str:
    name = metric(plan)
    points = [
        (float(p["size"]), float(p[plan["metric"]]), f"{number(p['size'], 0)}: {number(p[plan['metric']], 2)} {name}")
        for p in plan["points"]
        if p["updates"] == plan["updates"]
    ]
    curve = FittedCurve(points, [tuple(row) for row in plan["drawn"]], float(plan["total"]))
    return f'<figure class="wide">{fitted_curve(curve, "", name, title)}</figure>'
