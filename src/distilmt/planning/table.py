"""Cost of a run as a plain-text table (also valid Markdown)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from distilmt.planning.predict import CostInputs
from distilmt.report.format import MISSING, count, duration, number, number_or_none, operations, signed, size
from distilmt.report.schema import Cost
from distilmt.utils.json_types import JsonObject

COMPLEXITY = """Complexity, for N pairs of n tokens, u updates of b tokens, L layers of width d with feed-forward f,
a vocabulary of V tokens, top-k of k and P parameters (P = V·d + L·(d² + d·f)):

    training    time O(u·b·(L·d·(d + f + n) + V·d) + u·P + N·n)    memory O(P + b·L·(d + f + n) + N·n)
    labels      time O(N·n·(beam·(L·d·(d + f + n) + V·d)))         memory O(P + shard·n·k)
    on disk     labels O(N·n·k), models, checkpoints and exports O(P)"""

_PARTS = (
    ("multiply-adds per source token", None),
    ("  encoder, attention", ("encoder", "attention")),
    ("  encoder, feed-forward", ("encoder", "feed_forward")),
    ("multiply-adds per target token", None),
    ("  decoder, attention", ("decoder", "attention")),
    ("  decoder, feed-forward", ("decoder", "feed_forward")),
    ("  vocabulary", ("decoder", "vocabulary")),
)


class CostEstimate(TypedDict):
    """The output of `distilmt cost`."""

    about: CostInputs
    predicted: list[Cost]
    measured: list[Cost]
    growth: dict[str, dict[str, float | None]]
    """Factor of each step's seconds by the quantity that is doubled; empty without rates."""
    rates: JsonObject | None
    """`CostRates`, without observations."""
    notes: list[str]


def cost_table(estimate: CostEstimate) -> str:
    """The output of `distilmt cost`."""
    rows = estimate["predicted"]
    parts = [_head(estimate), _grid([row["name"] for row in rows], _lines(estimate))]
    if estimate["growth"]:
        parts.append(_growth_table(estimate["growth"]))
    return "\n\n".join([*parts, COMPLEXITY, *estimate["notes"]]) + "\n"


def _head(estimate: CostEstimate) -> str:
    text = estimate["about"]
    lengths = f"{number(text['source_tokens'])} and {number(text['target_tokens'])} tokens"
    cleaned = "" if text["cleaned"] else " (before cleaning, lengths of a sample)"
    pieces = f"{number(text['vocabulary'], 0)} pieces, {'shared' if text['shared'] else 'a side'}"
    return f"{number(text['pairs'], 0)} pairs of {lengths}{cleaned}; {pieces}"


def _lines(estimate: CostEstimate) -> list[tuple[str, list[str]]]:
    rows, measured_rows = estimate["predicted"], {row["name"]: row for row in estimate["measured"]}
    # Finished steps are counted by their actual work.
    counted = [measured_rows.get(row["name"], row) for row in rows]
    lines = [("parameters", [count(row["parameters"]) for row in counted])]
    for label, path in _PARTS:
        lines.append((label, [_of_token(row, path) for row in counted]))
    lines.append(("FLOPs of matrix products", [operations(row["flops"]) for row in counted]))
    pairs = [(row, measured_rows.get(row["name"])) for row in rows]
    lines += _compared("time", pairs, lambda row: row["seconds"], duration)
    lines += _compared("peak memory", pairs, lambda row: row["peak_rss_bytes"], size)
    lines += _compared("bytes kept", pairs, lambda row: row["bytes"].get("kept"), size)
    lines.append(("bytes while it runs", [size(row["bytes"].get("passing")) for row in rows]))
    return lines


def _of_token(row: Cost, path: tuple[str, str] | None) -> str:
    macs = row["macs_per_token"]
    if path is not None:
        return count(macs[path[0]][path[1]]) if macs else MISSING
    return ""


def _compared(
    label: str,
    pairs: Sequence[tuple[Cost, Cost | None]],
    get: Callable[[Cost], float | None],
    write: Callable[[float | None], str],
) -> list[tuple[str, list[str]]]:
    """One line before a run; for a finished run the prediction, the measurement and the error."""
    guesses = [get(guess) for guess, _ in pairs]
    if not any(measured for _, measured in pairs):
        return [(label, list(map(write, guesses)))]
    actual = [get(measured) if measured else None for _, measured in pairs]
    errors = [error(guess, value) for guess, value in zip(guesses, actual, strict=True)]
    return [
        (f"{label}, predicted", list(map(write, guesses))),
        (f"{label}, measured", list(map(write, actual))),
        ("  error", [f"{signed(e)} %" if e is not None else MISSING for e in errors]),
    ]


def error(prediction: float | None, measurement: float | None) -> float | None:
    """Percentage by which a prediction exceeds the measurement."""
    a, b = number_or_none(prediction), number_or_none(measurement)
    return 100 * (a / b - 1) if a is not None and b else None


def _growth_table(growth: Mapping[str, Mapping[str, float | None]]) -> str:
    names = list(next(iter(growth.values())))
    lines = [(f"twice the {what}", [_factor(factors[name]) for name in names]) for what, factors in growth.items()]
    return "Time by these rates, with one thing doubled:\n\n" + _grid(names, lines)


def _factor(value: float | None) -> str:
    return MISSING if value is None else f"× {value:.2f}"


def _grid(names: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    widths = [max(len(label) for label, _ in [("", []), *lines])]
    widths += [max(len(name), *(len(cells[i]) for _, cells in lines)) for i, name in enumerate(names)]
    rows = [("", list(names)), *lines]
    shown = [_line(label, cells, widths) for label, cells in rows]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return "\n".join([shown[0], rule, *shown[1:]])


def _line(label: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = [label.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
    return f"| {' | '.join(columns)} |"
