"""Mark the differences between a translation and another text in HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from distilmt.evaluation.quality import language
from distilmt.report.format import escape

_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
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
    return (_CHARACTERS if language(target) in _WITHOUT_SPACES else _WORDS).findall(text)


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


def mark_differences(text: str, reference: str, teacher: str | None, target: str) -> str:
    """A translation in HTML: `<mark class="r">` marks differences from the reference, `t` from the teacher.

    An empty `<mark class="gap ...">` marks missing words.
    """
    parts = tokens(text, target)
    differences = {"r": diff_tokens(parts, tokens(reference, target))}
    if teacher is not None:
        differences["t"] = diff_tokens(parts, tokens(teacher, target))
    fragments = []
    for names, group in groupby(range(len(parts)), key=lambda i: _names(differences, i)):
        fragment = "".join(_gap(differences, i) + escape(parts[i]) for i in group)
        fragments.append(f'<mark class="{names}">{fragment}</mark>' if names else fragment)
    return "".join(fragments) + _gap(differences, len(parts))


def _names(differences: dict[str, TokenDiff], place: int) -> str:
    return " ".join(name for name, difference in differences.items() if difference.changed[place])


def _gap(differences: dict[str, TokenDiff], place: int) -> str:
    names = " ".join(name for name, difference in differences.items() if place in difference.missing)
    return f'<mark class="gap {names}"></mark>' if names else ""
