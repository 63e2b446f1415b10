"""Read sentence pairs, streaming, from all kinds of files; Moses pairs, TSV, JSON lines and Parquet are read here.

Only a line feed (or carriage return and line feed) ends a line: U+2028, form feeds and their like stay inside it.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.corpora import gettext, xmlfiles
from distilmt.corpora.pairs import Pair, check_file
from distilmt.errors import UserError

MAX_LINE_BYTES = 16 << 20
_BOM = b"\xef\xbb\xbf"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BATCH_ROWS = 4096
_MAX_COLUMNS = 1000


def read_pairs(paths: list[str], source: str, target: str, score: str | None = None) -> Iterator[Pair]:
    """Read pairs one by one from two parallel text files, one file of pairs, or a directory of gettext catalogues.

    Args:
        paths: the source's and the target's text file; or one .tsv, .jsonl, .parquet, .tmx, .xlf, .po or .mo file; or
            a directory. Text and XML may be gzipped (.gz).
        source: language code, which may name a column.
        target: language code, which may name a column.
        score: column that says how good a pair is: its name, in a .tsv file its number from 1.

    Raises:
        UserError: a file cannot be read as what its name says; the message names file, line and remedy.
    """
    check_files(paths)
    files = [Path(path) for path in paths]
    formats = [_format(file) for file in files]
    if len(files) == 1 and formats[0] in _WITH_COLUMNS:
        return _not_empty(_WITH_COLUMNS[formats[0]](files[0], source, target, score), files[0])
    if score is not None:
        raise UserError(f"{' '.join(paths)}: has no column {score!r}: scores are read from .tsv, .jsonl and .parquet")
    if len(files) == 1 and formats[0] in _READERS:
        return _READERS[formats[0]](files[0], source, target)
    if len(files) == 2 and not set(formats) & {*_READERS, *_WITH_COLUMNS}:
        _check_order(files, source, target)
        return _read_moses(files[0], files[1])
    raise _wrong_paths(paths)


def files_of(paths: list[str], target: str) -> list[Path]:
    """The files that `read_pairs` would read, directories looked into.

    Raises:
        UserError: one is missing or unreadable, or a directory has no catalogues in the target language.
    """
    check_files(paths)
    found: list[Path] = []
    for path in map(Path, paths):
        found += gettext.find(path, target) if path.is_dir() else [path]
    return found


def read_lines(path: str) -> Iterator[Pair]:
    """Read a text file of one language as pairs whose target is empty.

    Args:
        path: a text file, a sentence a line; it may be gzipped (.gz).

    Raises:
        UserError: it is a file of another kind, empty, or not UTF-8.
    """
    check_files([path])
    file = Path(path)
    if _format(file) in {*_READERS, *_WITH_COLUMNS}:
        raise UserError(f"{path} is no text of one language: name a text file with a sentence on every line")
    return _not_empty((Pair(line, text, "") for line, text in enumerate(_lines(file), 1)), file)


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


def _text(value: object, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: holds {type(value).__name__} instead of text: make it a string")
    if bad := _UNSTORABLE.search(value):
        raise UserError(f"{where}: holds U+{ord(bad[0]):04X}, which is not text: remove it")
    return value


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


def check_files(paths: list[str]) -> None:
    """See that files (or one directory alone) are there and may be read.

    Raises:
        UserError: one is missing, a directory beside files, or unreadable.
    """
    for path in map(Path, paths):
        if len(paths) > 1 or not path.is_dir():
            check_file(path)


def _format(path: Path) -> str:
    if path.is_dir():
        return "directory"
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _check_order(files: list[Path], source: str, target: str) -> None:
    if [_format(file) for file in files] == [f".{target}".lower(), f".{source}".lower()]:
        raise UserError(
            f"{files[0]} is named first, but the source language is {source!r}: name the two files the other way round"
        )


def _wrong_paths(paths: list[str]) -> UserError:
    remedy = "name two parallel text files, one .tsv, .jsonl, .parquet, .tmx, .xlf, .po or .mo file, or a directory"
    if not paths:
        return UserError(f"no corpus file is named: {remedy}")
    return UserError(f"{' '.join(paths)}: cannot read {len(paths)} file(s) of these names as pairs: {remedy}")


def _not_empty(pairs: Iterator[Pair], path: Path) -> Iterator[Pair]:
    empty = True
    for pair in pairs:
        empty = False
        yield pair
    if empty:
        raise UserError(f"{path} is empty: name a file with sentences in it")


def _read_moses(left: Path, right: Path) -> Iterator[Pair]:
    sources, targets = _lines(left), _lines(right)
    count = 0
    for line, (source, target) in enumerate(zip_longest(sources, targets), 1):
        if source is None or target is None:
            longer = line + sum(1 for _ in (targets if source is None else sources))
            counts = (count, longer) if source is None else (longer, count)
            raise UserError(
                f"{left} has {counts[0]} lines but {right} has {counts[1]}: they must match line by line,"
                " so align them again"
            )
        count = line
        yield Pair(line, source, target)
    if not count:
        raise UserError(f"{left} and {right} are empty: name files with sentences")


def _read_tsv(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
    place = _column_number(path, score) if score else 0
    for line, text in enumerate(_lines(path), 1):
        columns = text.split("\t", max(2, place))
        if len(columns) < 2:
            raise UserError(f"{path}, line {line}: has no tab: write source, tab, target on every line")
        if not place:
            yield Pair(line, columns[0], columns[1])
        elif len(columns) < place:
            raise UserError(f"{path}, line {line}: has no column {place}: write a score there, or name another column")
        else:
            yield Pair(line, columns[0], columns[1], score_of(columns[place - 1], f"{path}, line {line}"))


def _column_number(path: Path, score: str) -> int:
    if not score.isdecimal() or not 3 <= int(score) <= _MAX_COLUMNS:
        raise UserError(f"{path}: score is {score!r}: a .tsv file has no names, so give the column's number, from 3")
    return int(score)


def _read_jsonl(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
    for line, text in enumerate(_lines(path), 1):
        where = f"{path}, line {line}"
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise UserError(f"{where}: is not JSON: write one object a line, such as {{...}}") from None
        if not isinstance(record, dict):
            raise UserError(f"{where}: is not a JSON object: write one object a line, such as {{...}}")
        pair = Pair(line, *sides(record, source, target, where))
        yield pair._replace(score=score_of(record.get(score), where)) if score else pair


def _read_parquet(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair]:
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


def _blank(schema: pa.Schema) -> dict[str, object]:
    """A record of nothing in all of a schema's columns, to see whether the right ones are there."""
    record: dict[str, object] = {}
    for column in schema:
        nested = pa.types.is_struct(column.type)
        record[column.name] = {child.name: None for child in column.type} if nested else None
    return record


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


_WITH_COLUMNS: dict[str, Callable[[Path, str, str, str | None], Iterator[Pair]]] = {
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
_READERS: dict[str, Callable[[Path, str, str], Iterator[Pair]]] = {
    ".tmx": xmlfiles.read_tmx,
    ".xlf": xmlfiles.read_xliff,
    ".xliff": xmlfiles.read_xliff,
    ".po": gettext.read_catalogue,
    ".mo": gettext.read_catalogue,
    "directory": gettext.read_tree,
}


def _lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, without their ends."""
    offset = 0
    for number, raw in enumerate(_raw_lines(path), 1):
        start = len(_BOM) if number == 1 and raw.startswith(_BOM) else 0
        end = len(raw) - (2 if raw.endswith(b"\r\n") else raw.endswith(b"\n"))
        try:
            text = raw[start:end].decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}, line {number}: not UTF-8 at byte {offset + start + error.start} of the file:"
                " convert it, for example with iconv -f ISO-8859-1 -t UTF-8"
            ) from None
        if "\0" in text:
            raise UserError(f"{path}, line {number}: holds a NUL byte, so it is binary or UTF-16: convert it to UTF-8")
        offset += len(raw)
        yield text


def _raw_lines(path: Path) -> Iterator[bytes]:
    zipped = path.name.lower().endswith(".gz")
    with cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb") as file:
        number = 0
        try:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise UserError(
                        f"{path}, line {number}: is longer than {MAX_LINE_BYTES >> 20} MiB: put one sentence on a line"
                    )
                yield raw
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise UserError(f"{path} is a damaged or cut-off gzip file (after line {number}): get it again") from None
