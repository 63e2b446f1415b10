"""The overview of all commands, without reading their keys: it appears at once."""

from __future__ import annotations

from distilmt.cli.command import COMMANDS
from distilmt.cli.output import SHARED_FLAGS

_INTRODUCTION = """distilmt distills a large translation model into a small, fast one, and measures the loss of quality.

usage: distilmt COMMAND [ARGUMENT ...] [--KEY VALUE ...]          (details: distilmt COMMAND --help)
"""


def overview() -> str:
    """All commands with a line each, and the flags that they share."""
    width = max(map(len, [*COMMANDS, *SHARED_FLAGS])) + 2
    commands = [f"  {name:<{width}}{entry.summary}" for name, entry in COMMANDS.items()]
    flags = [f"  {name:<{width}}{text}" for name, text in SHARED_FLAGS.items()]
    return "\n".join([_INTRODUCTION, "commands:", *commands, "", "options of every command:", *flags])
