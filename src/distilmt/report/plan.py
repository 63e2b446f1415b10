"""The plan of how much text to label: plan.json, .md and .html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.report.build import to_strict_json
from distilmt.report.format import duration, number, size
from distilmt.report.plan_page import render
from distilmt.report.plan_words import (
    WORDS,
    Words,
    bounds,
    findings,
    headline,
    law,
    metric,
    notes,
    price,
    signed_bounds,
)
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text


def heads(plan: Mapping[str, Any], words: Words) -> list[str]:
    """Headings of the table; with costs only if a price is given."""
    named = words["heads"].format(metric=metric(plan)).split(",")
    return [*named, *([words["price"]] if plan["rates"]["price"] is not None else [])]


def rows(plan: Mapping[str, Any]) -> list[list[str]]:
    """A row for every size."""
    return [_row(line, plan["rates"]["price"] is not None) for line in plan["lines"]]


def _row(line: Mapping[str, Any], priced: bool) -> list[str]:
    return [
        number(line["sentences"], 0) + (" *" if line["beyond"] else ""),
        bounds(line["score"]),
        signed_bounds(line["gain"]),
        bounds(line["cross_entropy"], 3),
        duration(line["label_seconds"]),
        size(line["label_bytes"]),
        duration(line["train_seconds"]),
        number(line["passes"]),
        *([price(line["price"])] if priced else []),
    ]


def trained(plan: Mapping[str, Any]) -> list[list[str]]:
    """A row for every trained student."""
    return [
        [
            number(p["size"], 0),
            number(p["updates"], 0),
            str(p["seed"]),
            number(p["bleu"], 2),
            number(p["chrf"], 2),
            number(p["cross_entropy"], 3),
            number(p["train_seconds"], 0),
        ]
        for p in plan["points"]
    ]


def table_note(plan: Mapping[str, Any], words: Words) -> str:
    """Explanation of the columns."""
    return words["table_note"].format(
        metric=metric(plan),
        updates=number(plan["updates"], 0),
        run_updates=number(plan["run_updates"], 0),
        level=f"{100 * plan['level']:g}",
    )


def markdown(plan: Mapping[str, Any]) -> str:
    """The plan as Markdown, in English."""
    words, pair = WORDS["en"], plan["pair"]
    parts = [
        f"# Plan, {pair['source']} → {pair['target']}",
        f"distilmt {plan['distilmt_version']}, {plan['date']}, {plan['machine'].get('cpu', '?')}.",
        f"{headline(plan, words)}.",
        *findings(plan, words),
        _table(heads(plan, words), rows(plan)),
        table_note(plan, words),
        law(plan, words),
        _table(words["measured_heads"].split(","), trained(plan)),
        *notes(plan, words),
    ]
    return "\n\n".join(parts) + "\n"


def _table(names: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [names, *lines]) for i in range(len(names))]
    shown = [
        f"| {' | '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in [names, *lines]
    ]
    rule = "|".join(["", *("-" * (width + 1) + ":" for width in widths), ""])
    return "\n".join([shown[0], rule, *shown[1:]])


def write(plan: Mapping[str, Any], directory: Path) -> None:
    """Write the three files, each atomically; plan.json last, because it marks a plan as finished."""
    record = to_strict_json(
        {
            **plan,
            "distilmt_version": __version__,
            "date": date_for_reports(),
            "machine": machine(),
        }
    )
    words = WORDS.get(record["language"], WORDS["en"])
    tables = [(heads(record, words), rows(record)), (words["measured_heads"].split(","), trained(record))]
    write_text(directory / "plan.html", render(record, tables, table_note(record, words)))
    write_text(directory / "plan.md", markdown(record))
    write_json(directory / "plan.json", record)
