"""What all readers give: pairs of sentences; and what they share: files that are there, languages that match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from distilmt.data.readers.language_tags import base_language
from distilmt.utils.errors import UserError

_T = TypeVar("_T")


class Pair(NamedTuple):
    """A sentence and its translation; `line` is its line (row, unit, message) in the input, from 1."""

    line: int
    source: str
    target: str
    """Empty in text of one language."""
    score: float | None = None
    """How good the pair is by a column of the input; the higher the better."""


class Splits(NamedTuple):
    """A corpus as its origin splits it; None where it does not say."""

    train: Iterable[Pair]
    valid: list[Pair] | None
    test: list[Pair] | None
    license: str | None = None
    """As the origin itself names it."""


def check_file(path: Path) -> None:
    """See that a file is there and may be read.

    Raises:
        UserError: it is missing, a directory, or unreadable.
    """
    if path.is_dir():
        raise UserError(f"{path} is a directory: name a file")
    try:
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist: check the path (relative ones start at {Path.cwd()})") from None
    except PermissionError:
        raise UserError(f"{path} may not be read: change its permissions") from None


def match_language(code: str, by_code: Mapping[str, _T]) -> _T | None:
    """What stands under a language code: as it is written, or in another region or script if that leaves no choice.

    Args:
        code: what is looked for (`en`, `pt_BR`, `EN-us`); case does not matter, `_` and `-` are the same.
        by_code: code to anything, likewise.
    """
    plain = {_plain(name): value for name, value in by_code.items()}
    if _plain(code) in plain:
        return plain[_plain(code)]
    near = [value for name, value in plain.items() if base_language(name) == base_language(code)]
    return near[0] if len(near) == 1 else None


def _plain(code: str) -> str:
    return re.sub("[-_@]+", "-", code.strip().lower())
