"""Sentence pairs from TSV and CSV: with a head or without, quoted or not."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from distilmt.data.pairs import Pair
from distilmt.data.readers.language_tags import language_columns
from distilmt.data.readers.records import score_of
from distilmt.data.readers.textlines import text_lines
from distilmt.utils import progress
from distilmt.utils.errors import UserError

_MAX_COLUMNS = 1000
_SAMPLE = 1000
_DELIMITERS = (",", ";", "\t")
_LONGEST_FIELD = 1 << 20

Line = tuple[int, str | UserError]
Row = tuple[int, list[str] | UserError]


@dataclass(frozen=True)
class _Layout:
    """Where the texts of a table stand; columns from 0."""

    left: int
    right: int
    score: int | None
    head: bool
    """Whether the first row names the columns."""


def read_tsv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read source, tab, target, or the columns that a first line names; blank lines are passed over.

    Fields are taken out of quotation marks where all that have any are written as CSV does it.
    """
    lines = enumerate(text_lines(path), 1)
    sample = list(islice(lines, _SAMPLE))
    rows = chain(sample, lines)
    quoted = _is_quoted([text.split("\t") for _, text in sample if isinstance(text, str)])
    if quoted:
        progress.info(f"{path}: its fields stand in quotation marks, which are taken off")
    cut = _quoted_rows(path, rows, "\t") if quoted else ((line, _fields(text)) for line, text in rows)
    yield from _pairs(path, cut, (source, target, score), "has no tab: write source, tab, target on every line")


def read_csv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read the columns that a first line names, or of two columns source and target.

    The delimiter is a comma, a semicolon or a tab, whichever cuts the first lines alike.
    """
    lines = enumerate(text_lines(path), 1)
    sample = list(islice(lines, _SAMPLE))
    delimiter = _delimiter([text for _, text in sample if isinstance(text, str) and text.strip()])
    rows = _quoted_rows(path, chain(sample, lines), delimiter)
    first = next(rows, None)
    if first is None:
        return
    if isinstance(first[1], list) and len(first[1]) > 2 and not language_columns(_names(first[1]), source, target):
        raise UserError(
            f"{path}: of its {len(first[1])} columns none are named for {source!r} and {target!r}: name them so in the"
            " first line"
        )
    too_few = f"has one column: write source, {delimiter!r}, target on every line"
    yield from _pairs(path, chain((first,), rows), (source, target, score), too_few)


def _pairs(
    path: Path, rows: Iterator[Row], keys: tuple[str, str, str | None], too_few: str
) -> Iterator[Pair | UserError]:
    """Pairs of rows; `keys` are source, target and score."""
    layout: _Layout | None = None
    for line, fields in rows:
        if isinstance(fields, UserError):
            yield fields
            continue
        if len(fields) < 2 and not "".join(fields).strip():
            continue
        if layout is None:
            layout = _layout(path, fields, keys)
            if layout.head:
                continue
        yield _pair(fields, layout, line, f"{path}, line {line}", too_few)


def _pair(fields: list[str], layout: _Layout, line: int, where: str, too_few: str) -> Pair | UserError:
    if len(fields) < 2:
        return UserError(f"{where}: {too_few}")
    last = max(layout.left, layout.right, layout.score or 0)
    if len(fields) <= last:
        return UserError(f"{where}: has no column {last + 1}: write one there, or name another column")
    if layout.score is None:
        return Pair(line, fields[layout.left], fields[layout.right])
    try:
        return Pair(line, fields[layout.left], fields[layout.right], score_of(fields[layout.score], where))
    except UserError as error:
        return error


def _layout(path: Path, first: list[str], keys: tuple[str, str, str | None]) -> _Layout:
    source, target, score = keys
    names = _names(first)
    named = language_columns(names, source, target)
    if named is None:
        return _Layout(0, 1, _column_number(path, score) if score else None, head=False)
    progress.info(f"{path}: its first line names the columns: {named[0]!r} and {named[1]!r} are read")
    place = names.index(score) if score in names else _column_number(path, score) if score else None
    return _Layout(names.index(named[0]), names.index(named[1]), place, head=True)


def _names(first: list[str]) -> list[str]:
    return [name.strip() for name in first[:_MAX_COLUMNS]]


def _column_number(path: Path, score: str) -> int:
    if not score.isdecimal() or not 3 <= int(score) <= _MAX_COLUMNS:
        raise UserError(
            f"{path}: score is {score!r}: its columns have no such name, so give the column's number, from 3"
        )
    return int(score) - 1


def _fields(text: str | UserError) -> list[str] | UserError:
    return text if isinstance(text, UserError) else text.split("\t", _MAX_COLUMNS)


def _quoted_rows(path: Path, lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Rows as the csv module cuts them, which may go over several lines, with the number of their first line."""
    errors: list[Row] = []
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(_physical(lines, errors), delimiter=delimiter)
    line = 0
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield line + 1, UserError(f"{path}, line {line + 1}: is no row of a table ({error}): mend it")
        else:
            if fields is not None and reader.line_num > line:
                yield line + 1, fields
            if fields is None:
                yield from errors
                return
        line = reader.line_num
        yield from errors
        errors.clear()


def _physical(lines: Iterator[Line], errors: list[Row]) -> Iterator[str]:
    """Lines with their ends, and empty ones for those that cannot be read, which are put aside."""
    for number, text in lines:
        if isinstance(text, UserError):
            errors.append((number, text))
        yield "\n" if isinstance(text, UserError) else f"{text}\n"


def _is_quoted(rows: list[list[str]]) -> bool:
    """Whether quotation marks are those of CSV: around whole fields, doubled inside; and not just a quotation."""
    fields = [[field for field in row if field] for row in rows]
    marked = [field for row in fields for field in row if '"' in field]
    if not marked or not all(_is_enclosed(field) for field in marked):
        return False
    doubled = any('""' in field[1:-1] for field in marked)
    return doubled or (
        len(rows) > 1 and all(len(row) > 1 and all('"' in field for field in row) for row in fields if row)
    )


def _is_enclosed(field: str) -> bool:
    inside = field[1:-1]
    return len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inside.replace('""', "")


def _delimiter(lines: list[str]) -> str:
    """What cuts the most lines into the same number of columns, two at least; a comma where nothing does."""

    def agreement(delimiter: str) -> int:
        counts = Counter(len(row) for row in csv.reader(lines[:100], delimiter=delimiter))
        return max((number for columns, number in counts.items() if columns > 1), default=0)

    try:
        return max(_DELIMITERS, key=agreement)
    except csv.Error:
        return ","
