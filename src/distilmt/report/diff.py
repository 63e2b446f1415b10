"""Mark the differences between a translation and another text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from distilmt.utils.languages import is_written_without_spaces

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
# Latin words and numbers are not split inside Chinese; everything else is compared by character.
_CHARACTERS = re.compile(r"[A-Za-z0-9]+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class TokenDiff:
    """Tokens without a counterpart in another text, and tokens before which words are missing."""

    changed: Sequence[bool]
    missing: frozenset[int]


def tokens(text: str, target: str) -> list[str]:
    """Split a text into words, spaces and single signs, or characters for languages without spaces."""
    return (_CHARACTERS if is_written_without_spaces(target) else _WORDS).findall(text)


def diff_tokens(parts: Sequence[str], others: Sequence[str]) -> TokenDiff:
    """Compare tokens; spaces are ignored, but a space between changed words counts as changed."""
    places = [i for i, part in enumerate(parts) if not part.isspace()]
    other_tokens = [other for other in others if not other.isspace()]
    matcher = SequenceMatcher(None, other_tokens, [parts[i] for i in places], autojunk=False)
    changed, missing = [False] * len(parts), set()
    for kind, _, _, start, end in matcher.get_opcodes():
        if kind == "delete":
            missing.add(places[start] if start < len(places) else len(parts))
        for i in places[start:end] if kind != "equal" else ():
            changed[i] = True
    for i in set(range(1, len(parts) - 1)).difference(places):
        changed[i] = changed[i - 1] and changed[i + 1]
    return TokenDiff(changed, frozenset(missing))


@dataclass(frozen=True)
class MarkedToken:
    """A token, and before it a gap where words are missing; a gap names the texts that have the words."""

    gap: str
    text: str


@dataclass(frozen=True)
class MarkedText:
    """Tokens with the same marks: `r` if they differ from the reference, `t` from the teacher, `r t` from both."""

    marks: str
    tokens: Sequence[MarkedToken]


def mark_differences(text: str, reference: str, teacher: str | None, target: str) -> list[MarkedText]:
    """A translation with marks where it differs from the reference and from the teacher's translation."""
    parts = tokens(text, target)
    differences = {"r": diff_tokens(parts, tokens(reference, target))}
    if teacher is not None:
        differences["t"] = diff_tokens(parts, tokens(teacher, target))
    groups = groupby(range(len(parts)), key=lambda place: _marks(differences, place))
    marked = [
        MarkedText(marks, [MarkedToken(_gap(differences, place), parts[place]) for place in group])
        for marks, group in groups
    ]
    last_gap = _gap(differences, len(parts))
    return [*marked, MarkedText("", [MarkedToken(last_gap, "")])] if last_gap else marked


def _marks(differences: dict[str, TokenDiff], place: int) -> str:
    return " ".join(name for name, difference in differences.items() if difference.changed[place])


def _gap(differences: dict[str, TokenDiff], place: int) -> str:
    return " ".join(name for name, difference in differences.items() if place in difference.missing)
