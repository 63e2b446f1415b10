"""Sentence pairs, the output of all readers, and their shared helpers for files and language codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from distilmt.utils.errors import UserError
from distilmt.utils.languages import base_language

_T = TypeVar("_T")


class Pair(NamedTuple):
    """A sentence and its translation; `line` is its line (row, unit, message) in the input, from 1."""

    line: int
    source: str
    target: str
    """Empty in monolingual text."""
    score: float | None = None
    """Quality score of the pair, from a column of the input; higher is better."""
    register: str | None = None
    """Kind of text, such as news or chat, from a column named `register`."""
    part: int = 0
    """Number of the sentence in its line, from 1, if the line was split; else 0."""

    @property
    def place(self) -> str:
        """Line and part, as in the id of a row: `000017`, `000017s2`."""
        return f"{self.line:06d}" + (f"s{self.part}" if self.part else "")


class Splits(NamedTuple):
    """A corpus with the splits of its source; None for a split that the source does not have."""

    train: Iterable[Pair]
    valid: list[Pair] | None
    test: list[Pair] | None
    license: str | None = None
    """License as declared by the source."""


def check_file(path: Path) -> None:
    """Check that a file exists and is readable.

    Raises:
        UserError: the path is missing, a directory, or unreadable.
    """
    if path.is_dir():
        raise UserError(f"{path} is a directory: name a file")
    try:
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist: check the path (relative ones start at {Path.cwd()})") from None
    except PermissionError:
        raise UserError(f"{path} is not readable: change its permissions") from None


def match_language(code: str, by_code: Mapping[str, _T]) -> _T | None:
    """The value of a language code: of the exact code, or of its only variant in another region or script.

    Args:
        code: language code (`en`, `pt_BR`, `EN-us`); case is ignored, `_` and `-` are equal.
        by_code: code to value, compared in the same way.
    """
    plain = {_plain(name): value for name, value in by_code.items()}
    if _plain(code) in plain:
        return plain[_plain(code)]
    near = [value for name, value in plain.items() if base_language(name) == base_language(code)]
    return near[0] if len(near) == 1 else None


def _plain(code: str) -> str:
    return re.sub("[-_@]+", "-", code.strip().lower())
