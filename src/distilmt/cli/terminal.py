"""Progress bars and tables in a terminal; plain lines if the output is not a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from distilmt.report.schema import RunReport, System
from distilmt.utils.progress import Task

_LINE_SECONDS = 30.0


class _Bar:
    """One task: a bar in a terminal, else a line twice a minute. Shows the rate and the remaining time."""

    def __init__(
        self, name: str, total: float | None, unit: str, console: Console, bars: Progress | None, done: float = 0
    ) -> None:
        self.name, self.total, self.unit, self.console, self.bars = name, total, unit, console, bars
        self.done, self.begin, self.first = done, time.monotonic(), done
        self.last_print_time, self.status = time.monotonic(), ""
        self.bar = bars.add_task(name, total=total, status="") if bars else None

    def advance(self, amount: float = 1, **status: object) -> None:
        self.done += amount
        if status:
            self.status = "  ".join(f"{key} {value}" for key, value in status.items())
        if self.bars is not None and self.bar is not None:
            self.bars.update(self.bar, completed=self.done, status=f"{self._rate()}  {self.status}")
        elif time.monotonic() - self.last_print_time > _LINE_SECONDS:
            self.last_print_time = time.monotonic()
            self.console.print(self._line(), highlight=False)

    def _speed(self) -> float:
        return (self.done - self.first) / max(1e-9, time.monotonic() - self.begin)

    def _rate(self) -> str:
        return rate(self._speed(), self.unit)

    def _line(self) -> str:
        if not self.total:
            return f"  {self.name}: {self.done:,.0f} {self.unit}, {self._rate()}"
        left = (self.total - self.done) / max(1e-9, self._speed())
        share = f"{self.done:,.0f}/{self.total:,.0f} {self.unit}"
        return f"  {self.name}: {share}, {self._rate()}, {left / 60:.1f} min left  {self.status}"


def rate(speed: float, unit: str) -> str:
    """Text of a rate: units per second, or per minute or hour if it is slow."""
    for every, name in ((1, "s"), (60, "min"), (3600, "h")):
        if speed * every >= 1 or name == "h":
            break
    return f"{speed * every:,.1f} {unit}/{name}"


class Terminal(logging.Handler):
    """Shows log messages and progress on standard error, so that standard output stays clean."""

    def __init__(self, names: bool = False) -> None:
        """Use bars if standard error is a terminal.

        Args:
            names: whether messages have the names of their loggers.
        """
        super().__init__()
        self.names = names
        self.console = Console(stderr=True, soft_wrap=True)
        self.begin = time.monotonic()
        self.bars: Progress | None = None

    def start(self, name: str, total: float | None, unit: str, done: float) -> Task:
        """Show a new task."""
        if self.console.is_terminal and self.bars is None:
            self.bars = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[status]}"),
                console=self.console,
                transient=True,
            )
            self.bars.start()
        return _Bar(name, total, unit, self.console, self.bars, done)

    def finish(self, task: Task) -> None:
        """Remove a task; the last one releases the terminal."""
        if self.bars is not None and isinstance(task, _Bar) and task.bar is not None:
            self.bars.remove_task(task.bar)
            if not self.bars.tasks:
                self.bars.stop()
                self.bars = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message with the time since the start."""
        seconds = int(time.monotonic() - self.begin)
        kind = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        name = f"{record.name}: " if self.names else ""
        message = f"{name}{kind}{record.getMessage()}"
        self.console.print(f"[{seconds // 60:3d}:{seconds % 60:02d}] {message}", markup=False, highlight=False)


def show_report(report: RunReport, root: Path) -> None:
    """Print the table of systems and the path of the report."""
    from distilmt.report.languages import translation
    from distilmt.report.summary import weak_teacher

    table = Table(
        title=f"{report['pair']['source']} → {report['pair']['target']}, {report['test']['sentences']} sentences",
        box=SIMPLE_HEAD,  # without lines between the columns the table fits into 80 characters
        collapse_padding=True,
        pad_edge=False,
    )
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "system" else "right", no_wrap=True, vertical="bottom")
    for system in report["systems"]:
        table.add_row(*[_cell(system, get) for get in _COLUMNS.values()])
    console = Console()
    console.print(table)
    for row in report["comparisons"]:
        if row["metric"] == "bleu" and row["a"] == "student-int8" and row["b"] in ("teacher", "baseline-int8"):
            line = f"student-int8 − {row['b']}: {row['difference']:+.2f} BLEU (p = {row['p_value']:.4f})"
            console.print(line, highlight=False)
    if warning := weak_teacher(report, translation("en")):
        console.print(warning, highlight=False, soft_wrap=True)
    console.print(f"report: {root / 'report.html'}", highlight=False, soft_wrap=True)


def show_challenges(report: RunReport) -> None:
    """Print the challenge results of student, baseline and teacher, with an example of each failure."""
    for name, rows in (report.get("challenge_sets") or {}).items():
        table = Table(title=name, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        for column in ("challenge set", "inputs", "failures", "teacher", "p", "result"):
            table.add_column(column, justify="left" if column in ("challenge set", "result") else "right")
        for row in rows:
            counts = [str(row[key]) for key in ("cases", "student", "teacher")]
            table.add_row(row["name"], *counts, f"{row['p_value']:.3f}", "passed" if row["passed"] else "FAILED")
        console = Console()
        console.print(table)
        for row in rows:
            if not row["passed"] and row["examples"]:
                example = row["examples"][0]
                line = f"{row['name']}: {example['source'][:200]} → {example['translation'][:200]}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def _number(value: float | None, digits: int, divisor: float = 1, unit: str = "") -> str:
    return "–" if value is None else f"{value / divisor:.{digits}f}{unit}"


_COLUMNS: dict[str, Callable[[System], str]] = {
    "system": lambda s: str(s["name"]),
    "BLEU": lambda s: _number(s["bleu"], 2),
    "chrF": lambda s: _number(s["chrf"], 2),
    "MB": lambda s: _number(s["file_bytes"], 1, 1e6),
    "params": lambda s: _number(s["parameters"], 1, 1e6, "M"),
    "sent/s\nbatch 1": lambda s: _number((s["sentences_per_second"] or {}).get("batch_1"), 1),
    "sent/s\nbatch 64": lambda s: _number((s["sentences_per_second"] or {}).get("batch_64"), 1),
    "p50\nms": lambda s: _number((s["latency_ms"] or {}).get("p50"), 1),
    "memory\nMB": lambda s: _number(s["peak_rss_bytes"], 0, 1e6),
}


def _cell(system: System, get: Callable[[System], str]) -> str:
    try:
        return get(system)
    except KeyError:  # a report of an older version
        return "–"
