"""Cost of models and labels: counted operations, and measured time, memory and bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from distilmt.report.format import count, duration, number_or_none, operations, size
from distilmt.report.languages import Words
from distilmt.report.tables import Column, numbers_table, steps_table


def cost_section(report: Mapping[str, Any], words: Words) -> str:
    """The table of costs, if counted, and the time and memory of every step."""
    costs, steps = costs_table(report, words), steps_table(report, words)
    if not costs:
        return steps
    note = f'<p class="note">{words["cost_note"]}</p>'
    return f"{costs}{note}<h3>{words['steps_cost']}</h3>{steps}" if steps else costs + note


def costs_table(report: Mapping[str, Any], words: Words) -> str:
    """Rows for teacher, labels, student, baseline and exports; empty without counts."""
    rows = report.get("cost") or []
    columns = [
        Column(words["parameters"], lambda r: r.get("parameters"), count),
        Column(words["encoder_macs"], _summed("encoder"), count),
        Column(words["decoder_macs"], _summed("decoder", "attention", "feed_forward"), count),
        Column(words["vocabulary_macs"], _summed("decoder", "vocabulary"), count),
        Column(words["flops"], lambda r: r.get("flops"), operations, bar=True),
        Column(words["time"], lambda r: r.get("seconds"), duration, bar=True),
        Column(words["memory"], lambda r: r.get("peak_rss_bytes"), size),
        Column(words["written"], lambda r: (r.get("bytes") or {}).get("kept"), size),
    ]
    return numbers_table(words["step"], rows, columns, words["cost"]) if rows else ""


def _summed(side: str, *parts: str) -> Callable[[Mapping[str, Any]], float | None]:
    """Multiply-adds per token of one side, of some or all of its parts."""

    def value(row: Mapping[str, Any]) -> float | None:
        macs = (row.get("macs_per_token") or {}).get(side) or {}
        numbers = [number_or_none(macs.get(part)) for part in parts or macs]
        counts = [n for n in numbers if n is not None]
        return sum(counts) if counts else None

    return value
