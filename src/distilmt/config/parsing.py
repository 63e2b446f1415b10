"""Values of keys from YAML files and flags, parsed by jsonargparse."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from distilmt.config import RunConfig, renamed
from distilmt.config.bounds import check_bounds
from distilmt.config.fields import fields, suggestion
from distilmt.config.flags import Texts, literal_values, split_arguments, written_flags
from distilmt.config.yaml_file import read_yaml
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    import jsonargparse

T = TypeVar("T")


def parse(kind: type[T], arguments: Sequence[str]) -> T:
    """A dataclass from `[FILE.yaml] [--KEY VALUE …]`.

    Raises:
        UserError: the file cannot be read, a key is unknown, or a value is invalid.
    """
    given = split_arguments(arguments, kind)
    if len(given.positionals) > 1:
        raise UserError(f"unexpected argument {given.positionals[1]!r}: name one YAML file, and keys as --KEY VALUE")
    values = read_values(Path(given.positionals[0]), kind) if given.positionals else {}
    return parse_values(kind, values, given.of(kind))


def read_values(path: Path, kind: type) -> dict[str, Any]:
    """The values of a YAML file with the keys of a dataclass.

    The `config.yaml` in a run's directory may have former names, and its run is the one beside it: a directory that was
    copied or moved is not continued where it came from.

    Raises:
        UserError: the file cannot be read, or a key is unknown.
    """
    values = read_yaml(path)
    if kind is RunConfig and renamed.is_run_file(path):
        values = {**renamed.translated(values), "run_dir": str(path.parent)}
    check_keys(values, kind, str(path), "")
    return values


def parse_values(kind: type[T], values: Mapping[str, Any], texts: Texts) -> T:
    """A dataclass from the values of its keys, nested as in YAML, and texts of flags, which override them.

    Raises:
        UserError: a value is invalid.
    """
    import jsonargparse

    literal = literal_values(kind, texts)
    flags = written_flags(kind, {name: values for name, values in texts.items() if name not in literal})
    parser = _parser(kind)  # type: ignore[arg-type]
    try:
        namespace = parser.parse_object(dict(values)) if values else parser.get_defaults()
        namespace = parser.parse_args(flags, namespace=namespace)
        instances = parser.instantiate(namespace)
        parsed = {field.name: getattr(instances, field.name) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        config = kind(**{**parsed, **literal})
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        raise UserError(_plain(str(error))) from None
    check_bounds(config)
    return config


@functools.cache
def _parser(kind: type) -> jsonargparse.ArgumentParser:
    """The parser of one dataclass; it keeps nothing from one call to the next."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(exit_on_error=False, default_env=False)
    parser.add_class_arguments(kind, None, fail_untyped=True)
    return parser


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
