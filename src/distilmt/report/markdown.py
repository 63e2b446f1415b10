"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_row(cells: Sequence[str]) -> str:
    """One row."""
    return f"| {' | '.join(cells)} |"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table; the first `left` columns are texts, the others numbers, aligned to the right."""
    rule = "|" + "---|" * left + "---:|" * (len(headings) - left)
    return "\n".join([markdown_row(headings), rule, *map(markdown_row, rows)])


def aligned_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of numbers that is aligned in a terminal, too."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    shown = [
        markdown_row([cell.rjust(width) for cell, width in zip(row, widths, strict=True)]) for row in [headings, *rows]
    ]
    rule = "|".join(["", *("-" * (width + 1) + ":" for width in widths), ""])
    return "\n".join([shown[0], rule, *shown[1:]])
