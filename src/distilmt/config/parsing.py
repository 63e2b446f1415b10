"""Values of keys from YAML files and flags, parsed by jsonargparse."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from distilmt.config import RunConfig, renamed
from distilmt.config.bounds import check_bounds
from distilmt.config.fields import fields, suggestion
from distilmt.config.flags import join_list_values
from distilmt.config.yaml_file import read_yaml
from distilmt.utils.errors import UserError

T = TypeVar("T")


def parse(kind: type[T], arguments: Sequence[str]) -> T:
    """A dataclass from `[FILE.yaml] [--KEY VALUE …]`.

    Raises:
        UserError: the file cannot be read, a key is unknown, or a value is invalid.
    """
    values: dict[str, Any] = {}
    remaining = list(arguments)
    if remaining and not remaining[0].startswith("-"):
        path = Path(remaining.pop(0))
        values = read_yaml(path)
        if kind is RunConfig and renamed.is_run_file(path):
            values = renamed.translated(values)
        check_keys(values, kind, str(path), "")
    return parse_values(kind, values, remaining)


def parse_values(kind: type[T], values: dict[str, Any], arguments: Sequence[str]) -> T:
    """A dataclass from the values of its keys, nested as in YAML, and flags, which override them.

    Raises:
        UserError: a flag is unknown, or a value is invalid.
    """
    import jsonargparse

    flags = join_list_values(kind, list(arguments))
    names = [name for name, *_ in fields(kind)]
    for argument in flags:
        name = argument.removeprefix("--").split("=")[0]
        if argument.startswith("--") and name not in names and not renamed.name_of(kind, name):
            raise UserError(f"unknown option --{name}{suggestion(name, names)}")
    renamed.check_flags(kind, flags)
    _check_empty(kind, flags)
    parser = jsonargparse.ArgumentParser(exit_on_error=False, default_env=False)
    parser.add_class_arguments(kind, None, fail_untyped=True)
    try:
        namespace = parser.parse_object(values) if values else parser.get_defaults()
        namespace = parser.parse_args(flags, namespace=namespace)
        instances = parser.instantiate(namespace)
        config = kind(**{field.name: getattr(instances, field.name) for field in dataclasses.fields(kind)})  # type: ignore[arg-type]
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        raise UserError(_plain(str(error))) from None
    check_bounds(config)
    return config


def _check_empty(kind: type, flags: Sequence[str]) -> None:
    """Reject `--seed=` and `--seed ''`, which a shell produces from an unset variable."""
    hints = {name: hint for name, hint, *_ in fields(kind)}
    for flag in flags:
        name, sign, value = flag.removeprefix("--").partition("=")
        if sign and not value.strip():
            members = (hints[name], *typing.get_args(hints[name])) if name in hints else ()
            numbers = [words for member, words in _SCALARS.items() if member in members]
            if numbers:
                raise UserError(f"{name} is empty: it must be {' or '.join(numbers)}")
            if any(typing.get_origin(member) is typing.Literal for member in members):
                raise UserError(f"{name} is empty: name one of its values")


_SCALARS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
_KINDS = {
    "Literal": "one of {}",
    "[Ll]ist|dot import path": "a list",
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "a text",
    "NoneType": "null",
}
"""Readable names for jsonargparse's types."""


def check_keys(values: dict[str, Any], kind: type, path: str, prefix: str) -> None:
    """Check that a dataclass has all keys of a file. `path` is for the message; `prefix` is the section of the keys.

    Raises:
        UserError: a key is unknown.
    """
    hints = typing.get_type_hints(kind)
    if not prefix:
        renamed.check_values(kind, values, path)
    for key, value in values.items():
        if key not in hints:
            run_keys = [name for name, *_ in fields(RunConfig)] if prefix == "" else list(hints)
            raise UserError(
                f"{path}: unknown key {prefix + str(key)!r}{suggestion(str(key), [*hints, *run_keys], prefix)}"
            )
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise UserError(f"{path}: {prefix}{key} must hold keys: {', '.join(typing.get_type_hints(hints[key]))}")
            check_keys(value, typing.cast(type, hints[key]), path, f"{prefix}{key}.")


def _plain(message: str) -> str:
    """jsonargparse's message in one plain line, without its hints for programmers."""
    line = re.sub(r"Problem with given class_path 'distilmt\.config\.[\w.]+': ", "", " ".join(message.split()))
    line = re.sub(r" ?(Problem with given class_path|Parent parser|tip:).*", "", line)[:400]
    names = re.findall(r'Parser key "([\w.]+)":', line)
    wrong = re.search(r"(?:Expected an? |Subtypes: \[)(.*?)(?:\] Errors|\. Got value|$)", line)
    given = re.search(r"(?:Got value|Given value|path string): ?(.*)$", line)
    kinds = [words for pattern, words in _KINDS.items() if wrong and re.search(pattern, wrong[1])]
    if not (names and wrong and given and kinds):
        return line
    choices = re.findall(r"'(\w+)'", "".join(re.findall(r"Literal\[(.*?)\]", wrong[1])))
    allowed = [words.format(", ".join(choices)) for words in kinds]
    return f"{'.'.join(names)} is {given[1] or 'empty'}: it must be {' or '.join(allowed)}"
