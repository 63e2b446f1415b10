"""Checks of arguments: a wrong type is a TypeError, a wrong value a UserError, each in one sentence."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from distilmt.utils.errors import UserError
from distilmt.utils.texts import check_is_text

_UNTYPEABLE = {
    "Cc": "the control character",
    "Zl": "the line separator",
    "Zp": "the paragraph separator",
    "Cs": "a byte that is not UTF-8, read as",
}
"""Unicode's categories of characters that have no place in a file name."""


def existing_path(name: str, value: object) -> Path:
    """A path that is read.

    Raises:
        TypeError: it is neither a str nor a path.
        UserError: it is empty.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is {value!r}, {_kind(value)}: give a path as a str or a Path")
    if not os.fspath(value):
        raise UserError(f"{name} is empty: give a path")
    return Path(value)


def written_path(name: str, value: object) -> Path:
    """A path that is written.

    Raises:
        TypeError: it is neither a str nor a path.
        UserError: as `check_written_path`.
    """
    path = existing_path(name, value)
    check_written_path(name, str(path))
    return path


def check_written_path(name: str, path: str) -> None:
    """Check that no file is created under a name that its user cannot type or did not mean.

    Raises:
        UserError: the path has control characters, or begins as a shell's abbreviation that nothing has expanded.
    """
    for character in path:
        if unicodedata.category(character) in _UNTYPEABLE:
            kind = _UNTYPEABLE[unicodedata.category(character)]
            raise UserError(f"{name} {path!r} has {kind} U+{ord(character):04X}: use another name")
    if path.startswith(("~", "$")):
        raise UserError(f"{name} {path!r} begins with {path[0]}, which only a shell expands: write the whole path")


def whole_number(name: str, value: object, minimum: int, maximum: int) -> int:
    """A number of things.

    Raises:
        TypeError: it is no int.
        UserError: it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}, {_kind(value)}: give a whole number")
    if not minimum <= value <= maximum:
        raise UserError(f"{name} is {value}: it must be at least {minimum} and at most {maximum:,}")
    return value


def number(name: str, value: object, minimum: float, maximum: float) -> float:
    """A number, whole or not.

    Raises:
        TypeError: it is none.
        UserError: it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, {_kind(value)}: give a number")
    if not minimum <= value <= maximum:
        raise UserError(f"{name} is {value}: it must be at least {minimum:g} and at most {maximum:g}")
    return value


def choice(name: str, value: object, choices: Collection[str]) -> str:
    """One of several words.

    Raises:
        UserError: it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{name} is {value!r}: it must be one of {', '.join(choices)}")
    return value


def text_list(name: str, value: object) -> list[str]:
    """Texts from any iterable but a single text, which would be taken letter by letter.

    Raises:
        TypeError: it is a single text, a mapping or no iterable, or holds something else than texts.
        UserError: as `check_is_text`.
    """
    if isinstance(value, str):
        raise TypeError(f"{name} is a single text: put it into a list")
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"{name} is {value!r:.60}, {_kind(value)}: decode it to a str, as in value.decode()")
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {value!r:.60}, {_kind(value)}: give a list of texts")
    texts = list(value)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{number}] is {text!r:.60}, {_kind(text)}: give a str")
        check_is_text(f"{name}[{number}]", text)
    return texts


def _kind(value: object) -> str:
    """`an int`, `a dict`."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
