"""Flags as people write them, and those a command has beside the keys of a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import yaml

from distilmt.errors import UserError
from distilmt.keys import fields


def own_parser() -> argparse.ArgumentParser:
    """A parser for a command's own flags; `take_own` then leaves the others."""
    return argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)


def take_own(
    parser: argparse.ArgumentParser, arguments: Sequence[str], like: str
) -> tuple[argparse.Namespace, list[str]]:
    """A command's own flags, and the other arguments.

    Args:
        parser: of the own ones.
        arguments: all of them.
        like: how the own ones are written, for those who did otherwise.

    Raises:
        UserError: a value does not fit.
    """
    try:
        return parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}: write it like {like}") from None


def integers(text: str) -> list[int]:
    """`1,2,3` or `[1,2,3]`."""
    return [int(number) for number in text.strip("[]").split(",")]


def underscored(arguments: Sequence[str]) -> list[str]:
    """`--max-drop` is the same as `--max_drop`."""
    found = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        found.append((name.replace("-", "_").replace("__", "--", 1) if name.startswith("--") else name) + sign + value)
    return found


def joined_lists(kind: type, arguments: list[str]) -> list[str]:
    """`--train a.en a.it` as jsonargparse wants it: `--train=["a.en", "a.it"]`."""
    lists = {name for name, annotation, *_ in fields(kind) if str(annotation).startswith("list")}
    joined: list[str] = []
    while arguments:
        argument = arguments.pop(0)
        if argument.startswith("--") and argument[2:] in lists:
            items = []
            while arguments and not arguments[0].startswith("--"):
                items.append(arguments.pop(0))
            if len(items) == 1 and items[0].startswith("["):
                joined.append(f"{argument}={items[0]}")
            else:
                joined.append(f"{argument}={yaml.safe_dump(items, default_flow_style=True).strip()}")
        else:
            joined.append(argument)
    return joined
