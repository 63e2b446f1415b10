"""Cost of models and labels: counted operations, and measured time, memory and bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from distilmt.report.format import count, duration, number_or_none, operations, size
from distilmt.report.languages import Translation
from distilmt.report.schema import Cost, RunReport
from distilmt.report.tables import Column, NumbersTable, numbers_table, steps_table


@dataclass(frozen=True)
class CostView:
    """The table of costs, if counted, and the time and memory of every step."""

    costs: NumbersTable | None
    steps: NumbersTable | None


def cost_view(report: RunReport, _: Translation) -> CostView:
    """Both tables."""
    return CostView(costs_table(report, _), steps_table(report, _))


def costs_table(report: RunReport, _: Translation) -> NumbersTable | None:
    """Rows for teacher, labels, student, baseline and exports; None without counts."""
    columns: list[Column[Cost]] = [
        Column(_("Parameters"), lambda r: r.get("parameters"), count),
        Column(_("Multiply-adds per source token: encoder"), _summed("encoder"), count),
        Column(_("Per target token: decoder"), _summed("decoder", "attention", "feed_forward"), count),
        Column(_("Vocabulary"), _summed("decoder", "vocabulary"), count),
        Column(_("FLOPs, whole step"), lambda r: r.get("flops"), operations, has_bars=True),
        Column(_("Time"), lambda r: r.get("seconds"), duration, has_bars=True),
        Column(_("Peak memory"), lambda r: r.get("peak_rss_bytes"), size),
        Column(_("On disk"), lambda r: (r.get("bytes") or {}).get("kept"), size),
    ]
    return numbers_table((_("Cost"), _("Step")), report["cost"], columns) if report["cost"] else None


def _summed(side: Literal["encoder", "decoder"], *parts: str) -> Callable[[Cost], float | None]:
    """Multiply-adds per token of one side, of some or all of its parts."""

    def value(row: Cost) -> float | None:
        macs = (row.get("macs_per_token") or {}).get(side) or {}
        numbers = [number_or_none(macs.get(part)) for part in parts or macs]
        counts = [n for n in numbers if n is not None]
        return sum(counts) if counts else None

    return value
