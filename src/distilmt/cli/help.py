"""Help, generated from the commands and the dataclasses of their keys."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Iterable

import jsonargparse

from distilmt.cli.command import Command
from distilmt.cli.output import SHARED_FLAGS
from distilmt.config.fields import bounds_of
from distilmt.config.flags import keys_of


def help_text(command: Command) -> str:
    """Usage, description, keys with types, bounds and defaults, and examples of a command."""
    width = min(120, shutil.get_terminal_size().columns)
    description = textwrap.fill(command.description, width)
    examples = "\n".join(f"  distilmt {command.name} {example}".rstrip() for example in command.examples)
    return f"{_usage(command)}\n\n{description}\n\n{_without_usage(command)}\n\nexamples:\n{examples}"


def _usage(command: Command) -> str:
    return " ".join(["usage: distilmt", command.name, *command.positionals, "[--KEY VALUE ...]"])


def _without_usage(command: Command) -> str:
    return command_parser(command).format_help().partition("\n\n")[2].strip()


def command_parser(command: Command) -> jsonargparse.ArgumentParser:
    """The documented parser of a command, for its help and for completion."""
    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = jsonargparse.ArgumentParser(prog=f"distilmt {command.name}", usage="-", exit_on_error=False)
    for placeholder, text in command.positionals.items():
        name = placeholder.split()[0].strip("[]").lower()
        parser.add_argument(name, metavar=placeholder, help=text, nargs="*", default=argparse.SUPPRESS)
    for name, text in {**SHARED_FLAGS, **command.flags}.items():
        parser.add_argument(name, action="store_true", help=text, default=argparse.SUPPRESS)
    for kind in command.keys:
        keys = keys_of(kind)
        skipped = {key.name for key in keys.values() if key.flag.positional or key.flag.hidden}
        parser.add_class_arguments(kind, None, fail_untyped=True, skip=skipped)
        _complete_help(parser._actions, kind)
    return parser


def _complete_help(actions: Iterable[argparse.Action], kind: type) -> None:
    """Add bounds of numbers, and leave out what jsonargparse adds by itself: whole sections, and additions to lists."""
    bounds = bounds_of(kind)
    for action in actions:
        if action.dest in bounds:
            action.help = f"{action.help} From {bounds[action.dest]}."
        action.option_strings = [name for name in action.option_strings if not name.endswith("+")]
        if action.metavar == "CONFIG" or any(name.endswith(".help") for name in action.option_strings):
            action.help = argparse.SUPPRESS
