"""Keys of a configuration: names, types, defaults and docstrings, read from the dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distilmt.config.bounds import BOUNDS, Bounds

FLAG = "flag"
"""In the metadata of a field: its `Flag`."""


@dataclass(frozen=True)
class Flag:
    """How a key is given on the command line."""

    positional: bool = False
    """Whether the key is given by position and not as a flag."""
    literal: bool = False
    """Whether a value is taken as typed: a parser would read `null` or `[a-z]` as more than text."""
    repeated: bool = False
    """Whether every use of the flag adds one value."""
    separated: bool = False
    """Whether commas separate the values."""
    hidden: bool = False
    """Whether the user cannot give the key."""

    @property
    def is_typed(self) -> bool:
        """Whether the key is given as `--KEY VALUE`."""
        return not (self.positional or self.hidden)


POSITIONAL = {FLAG: Flag(positional=True, literal=True)}
"""Metadata of a key that is given by position, as typed."""


def suggestion(word: str, choices: Sequence[str], prefix: str = "") -> str:
    """`: did you mean …?` with the nearest known word, or the list of known words."""
    close = difflib.get_close_matches(word, choices, 1, 0.6) or [k for k in choices if k.split(".")[-1] == word][:1]
    if close:
        return f": did you mean {prefix + close[0]!r}?"
    return f" (known: {', '.join(sorted({k.split('.')[0] for k in choices}))})"


def fields(kind: type, prefix: str = "", default: Any = None) -> Iterator[tuple[str, Any, Any, str]]:
    """Every key: its dotted name, type, default and docstring."""
    hints, documentation = typing.get_type_hints(kind), _docstrings(kind)
    default = kind() if default is None else default
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from fields(typing.cast(type, hint), f"{prefix}{field.name}.", getattr(default, field.name))
        else:
            value = getattr(default, field.name)
            yield f"{prefix}{field.name}", hint, value, documentation.get(field.name, "")


def bounds_of(kind: type, prefix: str = "") -> dict[str, Bounds]:
    """Bounds of every number by its dotted name, including dataclasses in lists."""
    hints = typing.get_type_hints(kind)
    bounds: dict[str, Bounds] = {}
    for field in dataclasses.fields(kind):
        name, hint = f"{prefix}{field.name}", hints[field.name]
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner):
                bounds |= bounds_of(typing.cast(type, inner), f"{name}.")
        if BOUNDS in field.metadata:
            bounds[name] = field.metadata[BOUNDS]
    return bounds


@functools.cache
def _docstrings(kind: type) -> dict[str, str]:
    """The docstring below every field of a dataclass."""
    import docstring_parser

    return {entry.arg_name: entry.description or "" for entry in docstring_parser.parse_from_object(kind).params}


def type_name(hint: Any) -> str:
    """A type for readers: `int|null`, `list`, or the choices of a Literal."""
    if typing.get_origin(hint) is typing.Literal:
        return "|".join(map(str, typing.get_args(hint)))
    if args := typing.get_args(hint):
        if typing.get_origin(hint) is list:
            return "list"
        return "|".join("null" if a is type(None) else type_name(a) for a in args)
    return str(getattr(hint, "__name__", hint))
