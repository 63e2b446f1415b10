"""Stream sentence pairs from all supported file formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from distilmt.data.pairs import Pair, check_file
from distilmt.data.readers import gettext, xmlfiles
from distilmt.data.readers.bad_rows import RowErrorCallback, skip_unreadable
from distilmt.data.readers.columns import read_parquet
from distilmt.data.readers.compressed import plain_name
from distilmt.data.readers.delimited import read_csv, read_tsv
from distilmt.data.readers.json_files import read_json
from distilmt.data.readers.textlines import raw_lines, text_lines
from distilmt.utils.errors import UserError

_Rows = Iterator[Pair | UserError]
_WITH_COLUMNS: dict[str, Callable[[Path, str, str, str | None], _Rows]] = {
    ".tsv": read_tsv,
    ".tab": read_tsv,
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".parquet": read_parquet,
}
_READERS: dict[str, Callable[[Path, str, str], Iterator[Pair] | _Rows]] = {
    ".tmx": xmlfiles.read_tmx,
    ".xlf": xmlfiles.read_xliff,
    ".xliff": xmlfiles.read_xliff,
    ".po": gettext.read_catalogue,
    ".mo": gettext.read_catalogue,
    "directory": gettext.read_tree,
}


def read_pairs(
    paths: list[str], source: str, target: str, score: str | None = None, report: RowErrorCallback | None = None
) -> Iterator[Pair]:
    """Read pairs one by one from two parallel text files, one file of pairs, or a directory of gettext catalogs.

    Args:
        paths: the source's and the target's text file; or one .tsv, .csv, .json, .jsonl, .parquet, .tmx, .xlf, .po or
            .mo file; or a directory. Text and XML may be compressed (.gz, .bz2, .xz, .zst).
        source: language code, which may name a column.
        target: language code, which may name a column.
        score: score column: its name, or in a table without a header its number from 1.
        report: called with the reason for every unreadable row, which is left out.

    Raises:
        UserError: a file, or more than a twentieth of its rows, cannot be read in the format of its name; it names
            file, line and remedy.
    """
    check_files(paths)
    files = [Path(path) for path in paths]
    formats = [_format(file) for file in files]
    if len(files) == 1 and formats[0] in _WITH_COLUMNS:
        rows = _WITH_COLUMNS[formats[0]](files[0], source, target, score)
        return _not_empty(skip_unreadable(rows, str(files[0]), report), files[0])
    if score is not None:
        raise UserError(
            f"{' '.join(paths)}: has no column {score!r}: scores are read from .tsv, .csv, .jsonl and .parquet"
        )
    if len(files) == 1 and formats[0] in _READERS:
        return skip_unreadable(_READERS[formats[0]](files[0], source, target), str(files[0]), report)
    if len(files) == 2 and not set(formats) & {*_READERS, *_WITH_COLUMNS}:
        _check_order(files, source, target)
        return skip_unreadable(_read_moses(files[0], files[1]), " and ".join(paths), report)
    raise _wrong_paths(paths)


def files_of(paths: list[str], target: str) -> list[Path]:
    """The files that `read_pairs` would read, including those in directories.

    Raises:
        UserError: one is missing or unreadable, or a directory has no catalogs in the target language.
    """
    check_files(paths)
    files: list[Path] = []
    for path in map(Path, paths):
        files += gettext.find_catalogues(path, target) if path.is_dir() else [path]
    return files


def read_lines(path: str, report: RowErrorCallback | None = None) -> Iterator[Pair]:
    """Read a monolingual text file as pairs with an empty target.

    Args:
        path: a text file with one sentence per line; it may be compressed.
        report: as in `read_pairs`.

    Raises:
        UserError: it has another format, is empty, or not UTF-8.
    """
    check_files([path])
    file = Path(path)
    if _format(file) in {*_READERS, *_WITH_COLUMNS}:
        raise UserError(f"{path} is not a monolingual text file: name a text file with one sentence per line")
    rows = (
        text if isinstance(text, UserError) else Pair(line, text, "") for line, text in enumerate(text_lines(file), 1)
    )
    return _not_empty(skip_unreadable(rows, path, report), file)


def check_files(paths: list[str]) -> None:
    """Check that files, or a single directory, exist and are readable.

    Raises:
        UserError: one is missing, unreadable, or a directory among files.
    """
    for path in map(Path, paths):
        if len(paths) > 1 or not path.is_dir():
            check_file(path)


def check_parallel(paths: list[str]) -> None:
    """Check that two text files have the same number of lines; other formats are skipped.

    Raises:
        UserError: the numbers differ, or a file cannot be read.
    """
    left, right = (Path(path) for path in paths)
    if {_format(left), _format(right)} & {*_READERS, *_WITH_COLUMNS, "directory"}:
        return
    counts = [sum(1 for _ in raw_lines(path)) for path in (left, right)]
    if counts[0] != counts[1]:
        raise _not_parallel(left, right, counts)


def _not_parallel(left: Path, right: Path, counts: Sequence[int]) -> UserError:
    return UserError(
        f"{left} has {counts[0]} lines but {right} has {counts[1]}: they must match line by line, so align them again"
    )


def _format(path: Path) -> str:
    if path.is_dir():
        return "directory"
    return Path(plain_name(path)).suffix.lower()


def _check_order(files: list[Path], source: str, target: str) -> None:
    if [_format(file) for file in files] == [f".{target}".lower(), f".{source}".lower()]:
        raise UserError(f"{files[0]} is named first, but the source language is {source!r}: swap the two files")


def _wrong_paths(paths: list[str]) -> UserError:
    remedy = "name two parallel text files, one .tsv, .csv, .json, .jsonl, .parquet, .tmx, .xlf, .po or .mo file, or a"
    remedy += " directory"
    if not paths:
        return UserError(f"no corpus file is named: {remedy}")
    return UserError(f"{' '.join(paths)}: cannot read {len(paths)} file(s) with these names as pairs: {remedy}")


def _not_empty(pairs: Iterator[Pair], path: Path) -> Iterator[Pair]:
    empty = True
    for pair in pairs:
        empty = False
        yield pair
    if empty:
        raise UserError(f"{path} is empty: name a file with sentences in it")


def _read_moses(left: Path, right: Path) -> _Rows:
    sources, targets = text_lines(left), text_lines(right)
    count = 0
    for line, (source, target) in enumerate(zip_longest(sources, targets), 1):
        if source is None or target is None:
            longer = line + sum(1 for _ in (targets if source is None else sources))
            raise _not_parallel(left, right, (count, longer) if source is None else (longer, count))
        count = line
        if isinstance(source, UserError) or isinstance(target, UserError):
            yield source if isinstance(source, UserError) else UserError(str(target))
        else:
            yield Pair(line, source, target)
    if not count:
        raise UserError(f"{left} and {right} are empty: name files with sentences")
