"""`distilmt completion SHELL`: a script for the shell that completes commands, keys and their choices."""

from __future__ import annotations

from distilmt.cli.command import COMMANDS as ALL_COMMANDS
from distilmt.cli.command import Command, load
from distilmt.cli.output import Output, standard_output
from distilmt.utils.errors import UserError

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The script for a shell, from the parsers of all commands."""
    import jsonargparse
    import shtab

    from distilmt.cli.help import command_parser

    parser = jsonargparse.ArgumentParser(prog="distilmt", exit_on_error=False)
    subcommands = parser.add_subcommands(required=False)
    for name, entry in ALL_COMMANDS.items():
        command = load(name)
        own_parser = command_parser(command)
        for action in own_parser._actions:
            if not action.option_strings:
                if choices := command.choices.get(str(action.metavar)):
                    action.choices = choices
                else:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        subcommands.add_subcommand(name, own_parser, help=entry.summary)
    return str(parser.get_completion_script(f"shtab-{shell}"))


def _run(arguments: list[str], output: Output) -> int:
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise UserError(f"distilmt completion takes the name of a shell: {', '.join(SHELLS)}")
    with standard_output():
        print(script(arguments[0]))
    return 0


COMMANDS = {
    "completion": Command(
        "completion",
        "Prints a script that completes commands, keys and choices of values in a shell.",
        {"SHELL": "bash, zsh or fish."},
        (),
        (
            "bash > ~/.local/share/bash-completion/completions/distilmt",
            "fish > ~/.config/fish/completions/distilmt.fish",
        ),
        _run,
        choices={"SHELL": SHELLS},
    )
}
