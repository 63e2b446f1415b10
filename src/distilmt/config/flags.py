"""Parsing of flags: spelling variants, and a command's own flags besides the keys of a run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

import yaml

from distilmt.config.fields import fields
from distilmt.utils.errors import UserError


def own_parser() -> argparse.ArgumentParser:
    """A parser for a command's own flags; `split_own_flags` separates them from the others."""
    return argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)


def split_own_flags(
    parser: argparse.ArgumentParser, arguments: Sequence[str], like: str
) -> tuple[argparse.Namespace, list[str]]:
    """A command's own flags, and the other arguments.

    Args:
        parser: parser of the command's own flags.
        arguments: all arguments.
        like: an example of the own flags, for the error message.

    Raises:
        UserError: a value is invalid.
    """
    try:
        return parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}: write it like {like}") from None


def integers(text: str) -> list[int]:
    """`1,2,3` or `[1,2,3]`."""
    return [int(number) for number in text.strip("[]").split(",")]


def normalize_flags(arguments: Sequence[str]) -> list[str]:
    """`--max-drop` is the same as `--max_drop`."""
    flags = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        flags.append((name.replace("-", "_").replace("__", "--", 1) if name.startswith("--") else name) + sign + value)
    return flags


# argparse reads every value with a leading dash as an option, unless it is a short decimal number.
_NEGATIVE = re.compile(r"-[\d.].*|-(inf|nan)\w*", re.IGNORECASE)


def join_list_values(kind: type, arguments: list[str]) -> list[str]:
    """Flags with their values in jsonargparse's form: `--train a.en a.it` as `--train=["a.en", "a.it"]`.

    Args:
        kind: the dataclass whose keys the flags are.
        arguments: as typed by the user; the list is emptied.
    """
    hints = {name: hint for name, hint, *_ in fields(kind)}
    flags: list[str] = []
    while arguments:
        argument = arguments.pop(0)
        if argument.startswith("--") and "list" in str(hints.get(argument[2:])):
            flags.append(f"{argument}={_list_text(arguments)}")
        elif argument[2:] in hints and arguments and (not arguments[0] or _NEGATIVE.fullmatch(arguments[0])):
            flags.append(f"{argument}={arguments.pop(0)}")
        else:
            flags.append(argument)
    return flags


def _list_text(arguments: list[str]) -> str:
    """Remove the values at the head of the arguments; returns them as a YAML list."""
    items = []
    while arguments and not arguments[0].startswith("--"):
        items.append(arguments.pop(0))
    if len(items) == 1 and items[0].startswith("["):
        return items[0]
    return yaml.safe_dump(items, default_flow_style=True, width=10**9).strip()
