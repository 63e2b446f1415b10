"""Sentence pairs from TSV and CSV, with or without a header, quoted or not."""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from distilmt.data.pairs import Pair
from distilmt.data.readers.language_tags import head_columns
from distilmt.data.readers.records import register_of, score_of
from distilmt.data.readers.table_layout import MAX_COLUMNS, Keys, Layout, column_names, layout_of
from distilmt.data.readers.textlines import text_lines
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

_SAMPLE = 1000
_LAYOUT_ROWS = 100
_DELIMITERS = (",", ";", "\t")
_SEP = re.compile('"?sep=(.)"?', re.IGNORECASE)
_LONGEST_FIELD = 1 << 20

Line = tuple[int, str | UserError]
Row = tuple[int, list[str] | UserError]


def read_tsv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read source, tab, target, or the columns that a header names; blank lines are skipped.

    Quotation marks are removed if all quoted fields follow the rules of CSV.
    """
    lines = enumerate(text_lines(path), 1)
    sample = list(islice(lines, _SAMPLE))
    rows = chain(sample, lines)
    quoted = _is_quoted([text.split("\t") for _, text in sample if isinstance(text, str)])
    if quoted:
        logger.info(f"{path}: the fields are quoted; the quotation marks are removed")
    cut = _quoted_rows(path, rows, "\t") if quoted else ((line, _fields(text)) for line, text in rows)
    yield from _pairs(path, cut, (source, target, score), "has no tab: write source, tab, target on every line")


def read_csv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read the columns that a header names; without a header, two columns are source and target.

    The delimiter is the comma, semicolon or tab that splits the first lines consistently.
    """
    lines = enumerate(text_lines(path), 1)
    sample = list(islice(lines, _SAMPLE))
    delimiter = _declared_delimiter(sample) or _delimiter(
        [text for _, text in sample if isinstance(text, str) and text.strip()]
    )
    rows = _quoted_rows(path, chain(sample, lines), delimiter)
    first = next(rows, None)
    if first is None:
        return
    if isinstance(first[1], list) and len(first[1]) > 2 and not head_columns(column_names(first[1]), source, target):
        raise UserError(
            f"{path}: none of its {len(first[1])} columns are named {source!r} and {target!r}: name them so in the"
            " first line"
        )
    too_few = f"has one column: write source, {delimiter!r}, target on every line"
    yield from _pairs(path, chain((first,), rows), (source, target, score), too_few)


def _pairs(path: Path, rows: Iterator[Row], keys: Keys, too_few: str) -> Iterator[Pair | UserError]:
    """Pairs from rows, with the layout of the first rows."""
    sample = list(islice(rows, _LAYOUT_ROWS))
    filled = [fields for _, fields in sample if isinstance(fields, list) and not _is_blank(fields)]
    layout = layout_of(path, filled, keys) if filled else Layout(0, 1, None, head=False)
    has_head = layout.head
    for line, fields in chain(sample, rows):
        if isinstance(fields, UserError):
            yield fields
        elif has_head and not _is_blank(fields):
            has_head = False
        elif not _is_blank(fields):
            yield _pair(fields, layout, line, f"{path}, line {line}", too_few)


def _is_blank(fields: list[str]) -> bool:
    return len(fields) < 2 and not "".join(fields).strip()


def _pair(fields: list[str], layout: Layout, line: int, where: str, too_few: str) -> Pair | UserError:
    if len(fields) < 2:
        return UserError(f"{where}: {too_few}")
    last = max(layout.left, layout.right, layout.score or 0)
    if len(fields) <= last:
        return UserError(f"{where}: has no column {last + 1}: write one there, or name another column")
    label = register_of(dict(enumerate(fields)).get(layout.register)) if layout.register is not None else None
    if layout.score is None:
        return Pair(line, fields[layout.left], fields[layout.right], register=label)
    try:
        return Pair(line, fields[layout.left], fields[layout.right], score_of(fields[layout.score], where), label)
    except UserError as error:
        return error


def _fields(text: str | UserError) -> list[str] | UserError:
    return text if isinstance(text, UserError) else text.split("\t", MAX_COLUMNS)


def _quoted_rows(path: Path, lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Rows of the csv module, which may span several lines, with the number of their first line."""
    errors: list[Row] = []
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(_physical(lines, errors), delimiter=delimiter)
    line = 0
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield line + 1, UserError(f"{path}, line {line + 1}: is not a row of a table ({error}): correct the line")
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
    """Lines with their ends; unreadable lines become empty ones, and their errors are collected."""
    for number, text in lines:
        if isinstance(text, UserError):
            errors.append((number, text))
        yield "\n" if isinstance(text, UserError) else f"{text}\n"


def _is_quoted(rows: list[list[str]]) -> bool:
    """Whether quotation marks are CSV quoting: around whole fields, doubled inside; and not just a quotation."""
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


def _declared_delimiter(sample: list[Line]) -> str:
    """The delimiter of a first line `sep=;` of spreadsheets, which is then blanked; else an empty string."""
    declared = _SEP.fullmatch(sample[0][1]) if sample and isinstance(sample[0][1], str) else None
    if declared is None:
        return ""
    sample[0] = (sample[0][0], "")
    return declared[1]


def _delimiter(lines: list[str]) -> str:
    """The delimiter that splits the most lines into the same number of columns, at least two; else a comma."""

    def agreement(delimiter: str) -> int:
        counts = Counter(len(row) for row in csv.reader(lines[:100], delimiter=delimiter))
        return max((number for columns, number in counts.items() if columns > 1), default=0)

    try:
        return max(_DELIMITERS, key=agreement)
    except csv.Error:
        return ","
