"""Identifiers name what a value is: no verbs of speech for computation, no participles for data (docs/contributing)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BANNED = frozenset(
    [
        "answer",
        "answered",
        "answers",
        "ask",
        "asked",
        "asker",
        "asks",
        "astray",
        "beside",
        "drawn",
        "foretell",
        "foretold",
        "found",
        "hear",
        "heard",
        "kept",
        "known",
        "made",
        "mine",
        "reached",
        "rest",
        "said",
        "say",
        "says",
        "speak",
        "speaker",
        "speakers",
        "speaks",
        "spent",
        "spoken",
        "tell",
        "telling",
        "tells",
        "theirs",
        "told",
        "wanted",
        "whoever",
        "worth",
    ]
)
# Names that other programs give: jsonargparse's and argparse's attributes, callbacks of asyncio.
FOREIGN = frozenset({"connection_made"})
# Keys of files and flags; the fields carry their names.
KEYS = frozenset({"worth", "not_drawn"})


def identifiers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names that a module binds: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name, node.lineno


def parts(name: str) -> set[str]:
    """The words of an identifier, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


@pytest.mark.parametrize("directory", ["src", "tests", "benchmarks"])
def test_identifiers_are_terms_of_the_field(directory: str) -> None:
    banned = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted((ROOT / directory).rglob("*.py"))
        for name, line in identifiers(ast.parse(path.read_text(encoding="utf-8")))
        if parts(name) & BANNED and name not in FOREIGN | KEYS
    ]
    assert not banned, "\n".join(banned)


def test_the_list_is_read() -> None:
    tree = ast.parse("def ask(said):\n    found = said\n    self.kept = [told for told in found]\n")
    assert {name for name, _ in identifiers(tree)} == {"ask", "said", "found", "kept", "told"}
    assert parts("_LoudSpeaker") == {"loud", "speaker"} and parts("was_FOUND") == {"was", "found"}
