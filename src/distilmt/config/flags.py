"""Flags on a command line: their spelling, which arguments are their values, and how values are written."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distilmt.config import renamed
from distilmt.config.fields import FLAG, Flag, suggestion
from distilmt.utils.errors import UserError

_TRUTH_VALUES = ("true", "false", "yes", "no", "null")
Texts = Mapping[str, list[str]]
"""By dotted key: the texts given for it on the command line."""


@dataclass
class Arguments:
    """The arguments of a command."""

    positionals: list[str]
    """Arguments that belong to no flag: files and directories."""
    texts: dict[str, list[str]]
    """By dotted key: its values as typed."""

    def of(self, kind: type) -> Texts:
        """The values of the keys of one dataclass."""
        return {name: self.texts[name] for name in keys_of(kind) if name in self.texts}


@dataclass(frozen=True)
class Key:
    """A key of a dataclass, as a flag."""

    name: str
    """Dotted name, such as `labels.beam_size`."""
    hint: Any
    """Type."""
    flag: Flag

    @property
    def members(self) -> tuple[Any, ...]:
        """The type, and the members if it is a union."""
        return (self.hint, *typing.get_args(self.hint))

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return any(typing.get_origin(member) is list for member in self.members)

    @property
    def is_separated(self) -> bool:
        """Whether commas separate the values."""
        return self.flag.separated or list[int] in self.members


def keys_of(kind: type) -> dict[str, Key]:
    """All keys of a dataclass by dotted name."""
    return {key.name: key for key in _keys(kind, "")}


def _keys(kind: type, prefix: str) -> Iterator[Key]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _keys(typing.cast(type, hint), f"{prefix}{field.name}.")
        else:
            yield Key(f"{prefix}{field.name}", hint, field.metadata.get(FLAG, Flag()))


def split_arguments(arguments: Sequence[str], *kinds: type) -> Arguments:
    """Tell flags, their values and positional arguments apart; `--max-drop` and `--max_drop` are the same flag.

    Args:
        arguments: as typed by the user.
        kinds: the dataclasses whose keys the flags are.

    Raises:
        UserError: a flag is unknown or has a former name, or has no value.
    """
    keys = {name: key for kind in kinds for name, key in keys_of(kind).items() if key.flag.is_typed}
    remaining, result = list(arguments), Arguments([], {})
    while remaining:
        argument = remaining.pop(0)
        if not argument.startswith("--"):
            result.positionals.append(argument)
            continue
        typed, sign, value = argument[2:].partition("=")
        name = typed.replace("-", "_")
        if name not in keys:
            raise UserError(_unknown(name, list(keys), kinds))
        key = keys[name]
        values = [value] if sign else _take_values(key, remaining)
        if key.is_separated:
            values = [item.strip() for text in values for item in text.strip("[]").split(",")]
        before = result.texts.get(name, []) if key.flag.repeated else []
        result.texts[name] = [*before, *values]
        _check_former_values(name, values, kinds)
    return result


def one_path(given: Arguments, examples: str) -> Path:
    """The only positional argument.

    Args:
        given: the arguments.
        examples: what to name, for the message.

    Raises:
        UserError: there is none, or more than one.
    """
    if not given.positionals:
        raise UserError(f"name {examples}")
    if len(given.positionals) > 1:
        raise UserError(f"unexpected argument {given.positionals[1]!r}: name one path, and options as --KEY VALUE")
    return Path(given.positionals[0])


def _unknown(name: str, names: Sequence[str], kinds: Sequence[type]) -> str:
    for kind in kinds:
        if current := renamed.name_of(kind, name):
            return f"--{name} is called --{current} now"
    return f"unknown option --{name}{suggestion(name, names)}"


def _check_former_values(name: str, values: Sequence[str], kinds: Sequence[type]) -> None:
    for kind in kinds:
        for value in values:
            renamed.check_value(kind, name, value, "--")


def _take_values(key: Key, remaining: list[str]) -> list[str]:
    """Remove the values of a flag from the head of the remaining arguments."""
    if bool in key.members:  # `--confidence` alone is `--confidence true`
        return [remaining.pop(0)] if remaining and remaining[0].lower() in _TRUTH_VALUES else ["true"]
    if key.is_list and not key.flag.repeated:
        count = next((i for i, argument in enumerate(remaining) if argument.startswith("--")), len(remaining))
        values, remaining[:count] = remaining[:count], []
        return values
    if not remaining or (remaining[0].startswith("--") and not key.flag.literal):
        raise UserError(f"--{key.name} needs a value after it")
    return [remaining.pop(0)]


def literal_values(kind: type, texts: Texts) -> dict[str, Any]:
    """The values of keys that are taken as typed: a list of texts, or the last text."""
    literal = {name: key for name, key in keys_of(kind).items() if key.flag.literal and name in texts}
    return {name: list(texts[name]) if key.is_list else texts[name][-1] for name, key in literal.items()}


def written_flags(kind: type, texts: Texts) -> list[str]:
    """Flags in the form that jsonargparse reads: `--train=["a.en", "a.it"]`.

    Raises:
        UserError: a number or a choice is empty, or an item of a list is no whole number.
    """
    keys = keys_of(kind)
    for name, values in texts.items():
        _check_empty(keys[name], values)
    return [f"--{name}={_written(keys[name], values)}" for name, values in texts.items()]


def _written(key: Key, values: Sequence[str]) -> str:
    if not key.is_list:
        return values[-1]
    if list[int] in key.members and list(values) != ["null"]:
        return f"[{', '.join(_integer(key, value) for value in values)}]"
    if len(values) == 1 and (values[0].startswith("[") or values[0] == "null"):
        return values[0]
    return yaml.safe_dump(list(values), default_flow_style=True, width=10**9).strip()


def _integer(key: Key, text: str) -> str:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise UserError(f"{key.name} is {text or 'empty'}: it must be whole numbers, separated by commas")
    return text


def _check_empty(key: Key, values: Sequence[str]) -> None:
    """Reject `--seed=` and `--seed ''`, which a shell produces from an unset variable."""
    if key.is_list or any(value.strip() for value in values):
        return
    numbers = [words for member, words in _SCALARS.items() if member in key.members]
    if numbers:
        raise UserError(f"{key.name} is empty: it must be {' or '.join(numbers)}")
    if any(typing.get_origin(member) is typing.Literal for member in key.members):
        raise UserError(f"{key.name} is empty: name one of its values")


_SCALARS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
