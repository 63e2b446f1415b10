"""Sentence pairs from TSV, JSON lines and Parquet, in which a column may say how good a pair is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.corpora.pairs import Pair
from distilmt.corpora.textlines import text_lines
from distilmt.errors import UserError

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BATCH_ROWS = 4096
_MAX_COLUMNS = 1000


def read_tsv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
    """Read source, tab, target; the score stands in the column with that number. Raises UserError as `read_pairs`."""
    place = _column_number(path, score) if score else 0
    for line, text in enumerate(text_lines(path), 1):
        columns = text.split("\t", max(2, place))
        if len(columns) < 2:
            raise UserError(f"{path}, line {line}: has no tab: write source, tab, target on every line")
        if not place:
            yield Pair(line, columns[0], columns[1])
        elif len(columns) < place:
            raise UserError(f"{path}, line {line}: has no column {place}: write a score there, or name another column")
        else:
            yield Pair(line, columns[0], columns[1], score_of(columns[place - 1], f"{path}, line {line}"))


def read_jsonl(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
    """Read an object a line. Raises UserError as `read_pairs`."""
    for line, text in enumerate(text_lines(path), 1):
        where = f"{path}, line {line}"
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise UserError(f"{where}: is not JSON: write one object a line, such as {{...}}") from None
        if not isinstance(record, dict):
            raise UserError(f"{where}: is not a JSON object: write one object a line, such as {{...}}")
        pair = Pair(line, *sides(record, source, target, where))
        yield pair._replace(score=score_of(record.get(score), where)) if score else pair


def read_parquet(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
    """Read rows, some thousands at once. Raises UserError as `read_pairs`."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # else all of the file that was read is kept
            names = file.schema_arrow.names
            if score and score not in names:
                raise UserError(f"{path} has no column {score!r} (it has {', '.join(names[:12])}): name another column")
            wanted = [
                name for name in (source, target, "source", "target", "translation", score) if name and name in names
            ]
            if file.metadata.num_rows:
                sides(_blank(file.schema_arrow), source, target, str(path))
            line = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(dict.fromkeys(wanted))):
                for record in batch.to_pylist():
                    line += 1
                    where = f"{path}, row {line}"
                    found = score_of(record[score], where) if score else None
                    yield Pair(line, *sides(record, source, target, where), found)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # A damaged footer comes as an OSError without a number.
        raise UserError(f"{path} is not a whole Parquet file ({_first_line(error)}): write it again") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: a row after row {line} is not UTF-8: write the file again as UTF-8") from None


def sides(record: Mapping[str, object], source: str, target: str, where: str) -> tuple[str, str]:
    """The two texts of a record: under the language codes, `source` and `target`, or `translation`.

    Args:
        record: what one row or JSON line holds.
        source: language code of the source.
        target: language code of the target.
        where: file and line for messages.

    Raises:
        UserError: there are no such keys, or they do not hold text.
    """
    nested = record.get("translation")
    for values, left, right in (
        (record, source, target),
        (record, "source", "target"),
        (nested if isinstance(nested, Mapping) else {}, source, target),
    ):
        if left in values and right in values:
            return _text(values[left], f"{where}, {left!r}"), _text(values[right], f"{where}, {right!r}")
    found = ", ".join(map(repr, list(record)[:12])) or "nothing"
    raise UserError(
        f"{where}: no columns {source!r} and {target!r}, 'source' and 'target', or 'translation' with both languages"
        f" (found {found}): rename the columns, or name other languages with corpus.source and corpus.target"
    )


def score_of(value: object, where: str) -> float | None:
    """A score as a number; None if there is none.

    Raises:
        UserError: it is no number.
    """
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: the score {str(value)[:40]!r} is no number: mend it, or name another column")
    return number


def _text(value: object, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: holds {type(value).__name__} instead of text: make it a string")
    if bad := _UNSTORABLE.search(value):
        raise UserError(f"{where}: holds U+{ord(bad[0]):04X}, which is not text: remove it")
    return value


def _column_number(path: Path, score: str) -> int:
    if not score.isdecimal() or not 3 <= int(score) <= _MAX_COLUMNS:
        raise UserError(f"{path}: score is {score!r}: a .tsv file has no names, so give the column's number, from 3")
    return int(score)


def _blank(schema: pa.Schema) -> dict[str, object]:
    """A record of nothing in all of a schema's columns, to see whether the right ones are there."""
    record: dict[str, object] = {}
    for column in schema:
        nested = pa.types.is_struct(column.type)
        record[column.name] = {child.name: None for child in column.type} if nested else None
    return record


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
