"""Pages of the documentation, and the commands in their blocks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *ROOT.glob("docs/**/*.md")])
RESULTS = sorted(ROOT.glob("benchmarks/results/*.md"))
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
