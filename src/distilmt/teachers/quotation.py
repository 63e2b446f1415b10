"""Quotation marks and asterisks that a model puts around a whole translation."""

from __future__ import annotations

import re

_QUOTES = ['""', "''", "“”", "„“", "„”", "‘’", "‚‘", "«»", "»«", "‹›", "「」", "『』", "《》"]
_EMPHASIS = ("**", "__", "`")
_DOUBLE = re.compile(r"[\"“”„«»‹›「」『』《》]")
_SINGLE = re.compile(r"(?<!\w)['‘’‚]|['‘’](?!\w)")
_ENCLOSED = re.compile(r"\W*[\"“”„«»‹›「『《'‘‚](.*)[\"“”„«»‹›」』》'’‘]\W*", re.DOTALL)
_LAYERS = 3


def without_quotes(text: str, source: str) -> str:
    """Without what encloses all of a text and is not the source's: marks, which may enclose others, and asterisks."""
    for _ in range(_LAYERS):
        inner = _inside_emphasis(text, source) or _inside_quotes(text, source)
        if not inner:
            return text
        text = inner
    return text


def _inside_emphasis(text: str, source: str) -> str:
    for mark in _EMPHASIS:
        inner = _between(text, mark, mark)
        if inner and mark not in inner and mark[0] not in source:
            return inner
    return ""


def _inside_quotes(text: str, source: str) -> str:
    """The inside of one pair of marks; empty where the marks may be those of the source."""
    if _ENCLOSED.fullmatch(source):
        return ""
    for pair in _QUOTES:
        opening, closing = pair[0], pair[1]
        inner = _between(text, opening, closing)
        marks = _SINGLE if opening in "'‘‚" else _DOUBLE
        is_added = len(marks.findall(text)) >= len(marks.findall(source)) + 2
        if inner and is_added and _is_balanced(inner, opening, closing):
            return inner
    return ""


def _between(text: str, opening: str, closing: str) -> str:
    enclosed = len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing)
    return text[len(opening) : -len(closing)].strip() if enclosed else ""


def _is_balanced(inner: str, opening: str, closing: str) -> bool:
    """Whether marks inside belong together: the first opens, and none closes what was opened before."""
    if opening == closing:
        places = [match.start() for match in re.finditer(re.escape(opening), inner)]
        opens = not places or places[0] == 0 or not (inner[places[0] - 1].isalnum() or inner[places[0] - 1] in ".,!?;:")
        return len(places) % 2 == 0 and opens
    depth = 0
    for character in inner:
        depth += (character == opening) - (character == closing)
        if depth < 0:
            return False
    return depth == 0
