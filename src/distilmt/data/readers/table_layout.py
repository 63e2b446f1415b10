"""Find the text columns of a table: from the header if there is one, else from the content of the columns."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from distilmt.data.readers.language_tags import head_columns
from distilmt.data.readers.records import REGISTER
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

MAX_COLUMNS = 1000
_NUMERIC_SHARE = 0.9
_LONGEST_NAME = 30
_NAME_WORDS = 3
_TEXT_TO_NAME = 2
"""Texts are at least this many times longer than a header."""

Keys = tuple[str, str, str | None]
"""Names of source, target and score in the configuration."""


@dataclass(frozen=True)
class Layout:
    """Columns of the texts in a table, from 0."""

    left: int
    right: int
    score: int | None
    head: bool
    """Whether the first row is a header."""
    register: int | None = None


def layout_of(path: Path, rows: list[list[str]], keys: Keys) -> Layout:
    """The layout of a table from its first rows (at least one).

    Raises:
        UserError: no column has the name of the score, or several columns may be the texts.
    """
    source, target, score = keys
    names = column_names(rows[0])
    named = head_columns(names, source, target)
    if named is None:
        left, right = _text_columns(path, rows)
        _report_likely_head(path, rows, keys)
        return Layout(left, right, _column_number(path, score) if score else None, head=False)
    logger.info(f"{path}: its first line names the columns: {named[0]!r} and {named[1]!r} are read")
    place = names.index(score) if score in names else _column_number(path, score) if score else None
    register = names.index(REGISTER) if REGISTER in names else None
    return Layout(names.index(named[0]), names.index(named[1]), place, head=True, register=register)


def column_names(first: list[str]) -> list[str]:
    """The first row as names."""
    return [name.strip() for name in first[:MAX_COLUMNS]]


def _column_number(path: Path, score: str) -> int:
    if not score.isdecimal() or not 3 <= int(score) <= MAX_COLUMNS:
        raise UserError(f"{path}: score is {score!r}: no column has this name, so give the column's number, at least 3")
    return int(score) - 1


def _text_columns(path: Path, rows: list[list[str]]) -> tuple[int, int]:
    """The first two columns, or the only two columns without numbers."""
    count = int(median(len(row) for row in rows))
    columns = [[row[i] for row in rows if i < len(row)] for i in range(min(count, MAX_COLUMNS))]
    text_columns = [i for i, fields in enumerate(columns) if not _is_numeric(fields)]
    if count < 3 or len(text_columns) < 2 or text_columns[:2] == [0, 1]:
        return 0, 1
    if len(text_columns) > 2:
        raise UserError(
            f"{path}: column {1 if text_columns[0] else 2} has numbers, and {len(text_columns)} others have texts:"
            " name the columns in a first line"
        )
    left, right = text_columns
    logger.info(f"{path}: columns {left + 1} and {right + 1} are read, since the others have numbers")
    return left, right


def _is_numeric(fields: list[str]) -> bool:
    return sum(map(_is_number, fields)) >= _NUMERIC_SHARE * len(fields) > 0


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _report_likely_head(path: Path, rows: list[list[str]], keys: Keys) -> None:
    """Log a first row that looks like a header but is read as a pair."""
    first, others = rows[0][:2], [field for row in rows[1:] for field in row[:2]]
    short = len(first) == 2 and all(map(_is_name, first))
    if others and short and median(map(len, others)) > _TEXT_TO_NAME * max(map(len, first)):
        logger.info(
            f"{path}: its first line, {' and '.join(map(repr, first))}, is read as a pair: if it names the columns,"
            f" name them {keys[0]!r} and {keys[1]!r}"
        )


def _is_name(field: str) -> bool:
    words = field.split()
    return (
        0 < len(words) <= _NAME_WORDS and len(field) <= _LONGEST_NAME and not field.rstrip().endswith(tuple(".!?…。"))
    )
