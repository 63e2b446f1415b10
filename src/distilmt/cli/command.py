"""What a command of the command line is, and the list of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from distilmt.cli.output import Output


@dataclass(frozen=True)
class Command:
    """A command: its help is generated from this and from the dataclasses of its keys."""

    name: str
    description: str
    """What it does, in a few sentences."""
    positionals: Mapping[str, str]
    """Arguments by position: their placeholders in the usage line, and what they are."""
    keys: tuple[type, ...]
    """Dataclasses whose keys are flags."""
    examples: tuple[str, ...]
    """Command lines without `distilmt NAME`."""
    run: Callable[[list[str], Output], int]
    """Does it, given the arguments without the shared flags; returns the exit status."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags without a value besides the shared ones, and what they do."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By placeholder: all values of an argument, for completion."""
    needs_arguments: bool = True
    """Whether the command without arguments shows its help."""
    resumes: Callable[[Sequence[str]], bool] = lambda _: False
    """Whether an interrupted command with these arguments continues when it is run again."""


class Entry(NamedTuple):
    """A line of the overview."""

    module: str
    """The module of `distilmt.cli` that has the command."""
    summary: str


COMMANDS = {
    "demo": Entry("demo", "distill a translator from real text within a time limit"),
    "distill": Entry("distill", "distill your own teacher on your own text within a time limit"),
    "adapt": Entry("adapt", "train a student further on your own text"),
    "run": Entry("run", "run all steps of a configuration, up to the report"),
    "compare": Entry("compare", "compare methods on the same labels"),
    "prepare": Entry("run", "run the steps up to the corpus"),
    "train-teacher": Entry("run", "run the steps up to the teacher"),
    "label": Entry("run", "run the steps up to the labels, on this machine or on many with Ray"),
    "train-student": Entry("run", "run the steps up to the student and its baseline"),
    "export": Entry("run", "run the steps up to the exported models"),
    "evaluate": Entry("run", "run the steps up to the report; --health shows failures in the challenge sets"),
    "cost": Entry("cost", "predict the cost of a run, or compare it with the actual cost"),
    "trial": Entry("trial", "try an existing teacher on a few sentences, with price and verdict"),
    "plan": Entry("plan", "decide how much text to label"),
    "compress": Entry("compress", "make the student of a run smaller within a limit of quality"),
    "translate": Entry("translate", "translate standard input or documents with a finished run"),
    "serve": Entry("serve", "serve LibreTranslate's API and a web page"),
    "publish": Entry("publish", "upload an exported model of a run to the Hugging Face hub"),
    "labels": Entry("labels", "check, describe, merge, split or select label stores"),
    "completion": Entry("completion", "print a script that completes commands and keys in a shell"),
}
"""All commands in the order of the overview."""


def load(name: str) -> Command:
    """The command of this name, from its module."""
    module = importlib.import_module(f"distilmt.cli.{COMMANDS[name].module}")
    return cast(Command, module.COMMANDS[name])
