"""Pages of the documentation, the commands in their blocks, and which of them the tests run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distilmt.utils.pretrained import STUDENT

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *ROOT.glob("docs/**/*.md")])
RESULTS = sorted(ROOT.glob("benchmarks/results/*.md"))
LOCAL = re.compile(r"runs/|DIR|demo$" if STUDENT.exists() else r"runs/|DIR")
"""Models and stores that are here: none of the hub, and the built-in student where it is installed."""
WHOLE_RUNS = (
    "README.md",
    "command-line.md",
    "own-text.md",
    "labels.md",
    "python.md",
    "first-student.md",
    "your-own-teacher.md",
)
"""Pages whose runs a test runs."""
_BLOCK = re.compile(r"^ *```(bash|python|yaml)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A line of a block: a program, and what is before and behind it."""

    page: str
    words: tuple[str, ...]
    input: str = ""
    """The file behind `<`, or the text of an `echo` before the pipe."""
    output: str = ""
    """The file behind `>`."""

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"[:80]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return [block for name, block in _BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(pages: list[Path]) -> Iterator[Command]:
    """Every command of distilmt or make in the blocks of some pages, in order."""
    for page in pages:
        for block in blocks(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if "distilmt" in line or line.startswith("make "):
                    yield from _commands_of(page.name, line)


def _commands_of(page: str, line: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>&")
    lexer.whitespace_split = True
    stages = [[]]
    for word in lexer:
        if word == "|":
            stages.append([])
        else:
            stages[-1].append(word)
    text = stages[0][1] if stages[0][0] == "echo" else ""
    for stage in stages:
        if stage[0] in ("distilmt", "make"):
            files = {sign: stage[stage.index(sign) + 1] for sign in "<>" if sign in stage}
            end = min((stage.index(sign) for sign in files), default=len(stage))
            yield Command(page, tuple(stage[:end]), files.get("<", text), files.get(">", ""))


def shell_lines(page: Path) -> Iterator[str]:
    """Every line of the shell blocks of a page, continuation lines joined, without comments."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if command := line.partition("   #")[0].strip():
                yield command


def on_a_finished_run(pages: list[Path]) -> list[Command]:
    """Commands that use a finished run, or print a text; each once."""
    quoted: dict[tuple[str, ...], Command] = {}
    for command in commands(pages):
        words = command.words
        prints = len(words) == 1 or "--help" in words
        uses_run = words[1:2] in (("translate",), ("labels",)) and LOCAL.match(words[2 + (words[1] == "labels")])
        if words[0] == "distilmt" and (prints or uses_run) and "..." not in words:
            quoted.setdefault(words, command)
    return list(quoted.values())


def of_servers(pages: list[Path]) -> list[Command]:
    """Commands that serve a model that is here; each once."""
    served = [command for command in commands(pages) if command.words[1:2] == ("serve",)]
    return list({c.words: c for c in served if LOCAL.match(" ".join(c.words[2:3]))}.values())


def of_whole_runs(name: str) -> list[Command]:
    """Commands of a page that train or evaluate, with a toy in the place of their inputs."""
    whole = [command for command in commands(PAGES) if command.page == name]
    run_here = ("run", "prepare", "train-teacher", "distill", "evaluate")
    selected = [command for command in whole if command.words[1:2] and command.words[1] in run_here]
    # Without a file the models have their full size.
    selected = [c for c in selected if c.words[1] in ("prepare", "distill") or not c.words[2].startswith("--")]
    return [c for c in selected if c.words[2] not in ("llm.yaml", "configs/firefox-en-pt.yaml")]


def with_a_server_as_teacher(page: Path) -> list[Command]:
    """Commands of the second tutorial whose teacher is a server."""
    return [
        command for command in commands([page]) if "llm.yaml" in command.words or "runs/llm/labels" in command.words
    ]
