"""The report's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distilmt.report.format import (
    MISSING,
    count,
    duration,
    escape,
    language_tag,
    number,
    number_or_none,
    p_value,
    rate,
    signed,
    size,
)
from distilmt.report.languages import Words
from distilmt.report.plots import series
from distilmt.report.summary import is_significant


@dataclass(frozen=True)
class Column:
    """A column of numbers: heading, value per row, format, and whether it has bars."""

    heading: str
    value: Callable[[Mapping[str, Any]], Any]
    write: Callable[[Any], str]
    hint: str = ""
    bar: bool = False


def systems_table(report: Mapping[str, Any], words: Words) -> str:
    """Size, scores, speed and memory of every system."""
    rows = report.get("systems") or []
    columns = [
        Column(words["parameters"], lambda s: s.get("parameters"), count),
        Column(words["size"], lambda s: s.get("file_bytes"), size, "↓", bar=True),
        Column("BLEU", lambda s: s.get("bleu"), number, "↑", bar=True),
        Column("chrF", lambda s: s.get("chrf"), number, "↑"),
        Column("TER", lambda s: s.get("ter"), number, "↓"),
        Column(words["speed_1"], _within("sentences_per_second", "batch_1"), rate, "↑", bar=True),
        Column(words["speed_64"], _within("sentences_per_second", "batch_64"), rate, "↑", bar=True),
        Column(words["tokens_1"], _within("tokens_per_second", "batch_1"), rate, "↑"),
        Column(words["tokens_64"], _within("tokens_per_second", "batch_64"), rate, "↑"),
        Column(words["latency_50"], _within("latency_ms", "p50"), _milliseconds, "↓"),
        Column(words["latency_95"], _within("latency_ms", "p95"), _milliseconds, "↓"),
        Column(words["memory"], lambda s: s.get("peak_rss_bytes"), size, "↓"),
    ]
    return numbers_table(words["system"], rows, columns, words["systems"])


def health_table(report: Mapping[str, Any], words: Words) -> str:
    """Counts of faulty translations per system, or an empty text."""
    rows = [system for system in report.get("systems") or [] if system.get("health")]
    keys = ("sentences", "empty", "repetitions", "copies", "length_outliers")
    columns = [Column(words[key], _within("health", key), lambda v: number(v, 0)) for key in keys]
    return numbers_table(words["system"], rows, columns, words["health"]) if rows else ""


def steps_table(report: Mapping[str, Any], words: Words) -> str:
    """Seconds and memory of every step, and in total."""
    rows = report.get("steps") or []
    if not rows:
        return ""
    seconds = sum(number_or_none(step.get("seconds")) or 0.0 for step in rows)
    peak = max(number_or_none(step.get("peak_rss_bytes")) or 0.0 for step in rows)
    columns = [
        Column(words["time"], lambda s: s.get("seconds"), duration, bar=True),
        Column(words["share"], lambda s: s.get("seconds"), lambda v: _share(v, seconds)),
        Column(words["memory"], lambda s: s.get("peak_rss_bytes"), size),
    ]
    total = f'<tfoot><tr><th scope="row">{words["total"]}</th><td>{duration(seconds)}</td><td>100%</td>'
    foot = f"{total}<td>{size(peak or None)}</td></tr></tfoot>"
    return numbers_table(words["step"], rows, columns, words["steps_cost"], foot)


def numbers_table(
    first: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], label: str, foot: str = ""
) -> str:
    """A table with one named row each; empty columns are left out."""
    shown = [column for column in columns if any(number_or_none(column.value(row)) is not None for row in rows)]
    peaks = [max((number_or_none(c.value(row)) or 0.0 for row in rows), default=0.0) for c in shown]
    head = "".join(_heading(column) for column in shown)
    body = "".join(
        f'<tr class="{series(str(row["name"]))}"><th scope="row">{escape(row["name"])}</th>'
        + "".join(_cell(column, row, peak) for column, peak in zip(shown, peaks, strict=True))
        + "</tr>"
        for row in rows
    )
    table = f'<table><thead><tr><th scope="col">{first}</th>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>'
    return scrolling(table, label)


def scrolling(table: str, label: str) -> str:
    """A table that scrolls horizontally on a narrow page."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{table}</div>'


def comparisons_table(report: Mapping[str, Any], words: Words) -> str:
    """Paired differences with intervals and p values, or an empty text."""
    rows = report.get("comparisons") or []
    if not rows:
        return ""
    keys = ("compared", "metric", "scores", "difference", "ci", "p_value")
    head = "".join(f'<th scope="col">{words[key]}</th>' for key in keys)
    body = "".join(_comparison(row) for row in rows)
    table = f'<table class="compare"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return scrolling(table, words["comparisons"])


def corpus_table(summary: Mapping[str, Any], pair: Mapping[str, Any], words: Words) -> str:
    """Reasons for dropped pairs, with examples; `summary` has read, kept and dropped."""
    facts = [(words[key], number(summary.get(key), 0)) for key in ("read", "kept") if key in summary]
    dropped = summary.get("dropped") or {}
    body = "".join(_reason(reason, tally, pair, words) for reason, tally in dropped.items())
    head = "".join(f'<th scope="col">{words[key]}</th>' for key in ("reason", "pairs", "example_pairs"))
    table = f'<table class="reasons"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return definitions(facts) + (scrolling(table, words["dropped"]) if dropped else "")


def definitions(facts: Sequence[tuple[str, str]]) -> str:
    """A definition list of names and values; values are HTML."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{rows}</dl>' if facts else ""


def _within(key: str, inner: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: (row.get(key) or {}).get(inner)


def _milliseconds(value: Any) -> str:
    amount = number_or_none(value)
    return MISSING if amount is None else f"{number(amount, 0 if amount >= 100 else 1)} ms"


def _share(value: Any, total: float) -> str:
    amount = number_or_none(value)
    return MISSING if amount is None or not total else f"{100 * amount / total:.0f}%"


def _heading(column: Column) -> str:
    hint = f'&nbsp;<span class="quiet">{column.hint}</span>' if column.hint else ""
    return f'<th scope="col">{column.heading}{hint}</th>'


def _cell(column: Column, row: Mapping[str, Any], peak: float) -> str:
    value = number_or_none(column.value(row))
    bar = ""
    if column.bar and value is not None and peak > 0:
        bar = f'<span class="bar" style="width:{100 * max(0.0, value) / peak:.1f}%"></span>'
    return f"<td>{column.write(value)}{bar}</td>"


def _comparison(row: Mapping[str, Any]) -> str:
    ci = row.get("ci")
    interval = f"{signed(ci[0])} … {signed(ci[1])}" if ci else MISSING
    change = signed(row.get("difference"), 2)
    change = f"<strong>{change}</strong>" if is_significant(row) else change
    metric = {"bleu": "BLEU", "chrf": "chrF"}.get(row["metric"], str(row["metric"]))
    return (
        f'<tr><th scope="row">{escape(row["a"])} <span class="quiet">/</span> {escape(row["b"])}</th>'
        f"<td>{escape(metric)}</td><td>{number(row.get('a_score'))} / {number(row.get('b_score'))}</td>"
        f"<td>{change}</td><td>{interval}</td><td>{escape(p_value(row.get('p_value')))}</td></tr>"
    )


def _reason(reason: str, tally: Any, pair: Mapping[str, Any], words: Words) -> str:
    times, examples = (tally.get("count"), tally.get("examples")) if isinstance(tally, Mapping) else (tally, [])
    sides = [(side, language_tag(pair.get(side, ""))) for side in ("source", "target")]
    items = "".join(
        "<li>"
        + "".join(f'<span dir="auto" lang="{tag}">{escape(example.get(side, ""))}</span>' for side, tag in sides)
        + "</li>"
        for example in examples or []
    )
    more = f'<details><summary>{words["show"]}</summary><ul class="pairs">{items}</ul></details>' if items else MISSING
    return f'<tr><th scope="row">{escape(reason)}</th><td>{number(times, 0)}</td><td>{more}</td></tr>'
