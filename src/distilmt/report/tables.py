"""Tables as records that the templates show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from distilmt.report.differences import tested_difference
from distilmt.report.format import MISSING, count, duration, number, number_or_none, p_value, rate, signed, size
from distilmt.report.languages import Translation
from distilmt.report.plots import series
from distilmt.report.schema import Cost, RunReport, Step, System

Row = TypeVar("Row", System, Step, Cost)
METRICS = {"bleu": "BLEU", "chrf": "chrF"}
"""Names of metrics for readers."""


@dataclass(frozen=True)
class Table:
    """Texts, with the name of each row in the first column."""

    label: str
    """For screen readers."""
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of numbers: heading, value per row, format, whether it has bars, and the cell of the last row."""

    heading: str
    value: Callable[[Row], float | None]
    write: Callable[[float | None], str]
    hint: str = ""
    has_bars: bool = False
    total: str = ""


@dataclass(frozen=True)
class Cell:
    """A number as text; `bar` is the length of its bar in per cent of the longest, or None."""

    text: str
    bar: float | None = None


@dataclass(frozen=True)
class NumbersRow:
    """A row; `css` is the class of its color."""

    name: str
    css: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class NumbersTable:
    """Numbers, with a named row each; `headings` are texts and hints, `totals` a last row or empty."""

    label: str
    first_heading: str
    headings: Sequence[tuple[str, str]]
    rows: Sequence[NumbersRow]
    totals: Sequence[str]


@dataclass(frozen=True)
class ComparisonRow:
    """Two systems under one metric, as text."""

    a: str
    b: str
    metric: str
    scores: str
    difference: str
    is_significant: bool
    interval: str
    p_value: str


def systems_table(report: RunReport, _: Translation) -> NumbersTable:
    """Size, scores, speed and memory of every system."""
    columns: list[Column[System]] = [
        Column(_("Parameters"), lambda s: s.get("parameters"), count),
        Column(_("Size"), lambda s: s.get("file_bytes"), size, "↓", has_bars=True),
        Column("BLEU", lambda s: s.get("bleu"), number, "↑", has_bars=True),
        Column("chrF", lambda s: s.get("chrf"), number, "↑"),
        Column("TER", lambda s: s.get("ter"), number, "↓"),
        Column(_("Sent./s, batch\u00a01"), _within("sentences_per_second", "batch_1"), rate, "↑", has_bars=True),
        Column(_("Sent./s, batch\u00a064"), _within("sentences_per_second", "batch_64"), rate, "↑", has_bars=True),
        Column(_("Tokens/s, batch\u00a01"), _within("tokens_per_second", "batch_1"), rate, "↑"),
        Column(_("Tokens/s, batch\u00a064"), _within("tokens_per_second", "batch_64"), rate, "↑"),
        Column(_("Latency p50"), _within("latency_ms", "p50"), _milliseconds, "↓"),
        Column(_("Latency p95"), _within("latency_ms", "p95"), _milliseconds, "↓"),
        Column(_("Peak memory"), lambda s: s.get("peak_rss_bytes"), size, "↓"),
    ]
    if len({system.get("beam_size") for system in report["systems"]} - {None}) > 1:
        columns.insert(2, Column(_("Beam"), lambda s: s.get("beam_size"), count))
    return numbers_table((_("Systems"), _("System")), report["systems"], columns)


def health_table(report: RunReport, _: Translation) -> NumbersTable | None:
    """Counts of faulty translations per system, or None."""
    rows = [system for system in report["systems"] if system.get("health")]
    names = {
        "sentences": _("Sentences"),
        "empty": _("Empty"),
        "repetitions": _("Repetitions"),
        "copies": _("Copied source"),
        "length_outliers": _("Length outliers"),
    }
    columns: list[Column[System]] = [Column(name, _health(key), _whole) for key, name in names.items()]
    return numbers_table((_("Output checks"), _("System")), rows, columns) if rows else None


def _health(key: str) -> Callable[[System], float | None]:
    return lambda system: (system.get("health") or {}).get(key)


def steps_table(report: RunReport, _: Translation) -> NumbersTable | None:
    """Seconds and memory of every step, and in total; or None."""
    rows = report["steps"]
    if not rows:
        return None
    seconds = sum(number_or_none(step.get("seconds")) or 0.0 for step in rows)
    peak = max(number_or_none(step.get("peak_rss_bytes")) or 0.0 for step in rows)
    columns: list[Column[Step]] = [
        Column(_("Time"), lambda s: s.get("seconds"), duration, has_bars=True, total=duration(seconds)),
        Column(_("Share"), lambda s: s.get("seconds"), lambda v: _share(v, seconds), total="100%"),
        Column(_("Peak memory"), lambda s: s.get("peak_rss_bytes"), size, total=size(peak or None)),
    ]
    return numbers_table((_("Time and memory of each step"), _("Step")), rows, columns)


def numbers_table(headings: tuple[str, str], rows: Sequence[Row], columns: Sequence[Column[Row]]) -> NumbersTable:
    """A table with one named row each; empty columns are left out.

    Args:
        headings: of the whole table, for screen readers, and of the column of names.
        rows: the records.
        columns: what is shown of each.
    """
    shown = [column for column in columns if any(number_or_none(column.value(row)) is not None for row in rows)]
    peaks = [max((number_or_none(c.value(row)) or 0.0 for row in rows), default=0.0) for c in shown]
    totals = [column.total for column in shown]
    return NumbersTable(
        label=headings[0],
        first_heading=headings[1],
        headings=[(column.heading, column.hint) for column in shown],
        rows=[
            NumbersRow(
                name=row["name"],
                css=series(row["name"]),
                cells=[_cell(column, row, peak) for column, peak in zip(shown, peaks, strict=True)],
            )
            for row in rows
        ],
        totals=totals if any(totals) else [],
    )


def _cell(column: Column[Row], row: Row, peak: float) -> Cell:
    value = number_or_none(column.value(row))
    has_bar = column.has_bars and value is not None and peak > 0
    return Cell(column.write(value), 100 * max(0.0, value or 0.0) / peak if has_bar else None)


def comparison_rows(report: RunReport) -> list[ComparisonRow]:
    """Paired differences with intervals and p values."""
    rows = []
    for row in report["comparisons"]:
        tested = tested_difference(row)
        interval = tested.interval if tested else None
        rows.append(
            ComparisonRow(
                a=row["a"],
                b=row["b"],
                metric=METRICS.get(row["metric"], row["metric"]),
                scores=f"{number(row.get('a_score'))} / {number(row.get('b_score'))}",
                difference=signed(row.get("difference"), 2),
                is_significant=bool(tested and tested.is_significant),
                interval=f"{signed(interval[0])} … {signed(interval[1])}" if interval else MISSING,
                p_value=p_value(row.get("p_value")),
            )
        )
    return rows


def _within(
    key: Literal["sentences_per_second", "tokens_per_second", "latency_ms"], inner: str
) -> Callable[[System], float | None]:
    return lambda system: (system.get(key) or {}).get(inner)


def _whole(value: float | None) -> str:
    return number(value, 0)


def _milliseconds(value: float | None) -> str:
    amount = number_or_none(value)
    return MISSING if amount is None else f"{number(amount, 0 if amount >= 100 else 1)} ms"


def _share(value: float | None, total: float) -> str:
    amount = number_or_none(value)
    return MISSING if amount is None or not total else f"{100 * amount / total:.0f}%"
