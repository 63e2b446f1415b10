"""Several texts in one request: numbered lines, and the check that the numbers of the response match."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distilmt.data.cleaning_rules import numbers

_LINE = re.compile(r"^\s*(?:[-*•>]\s+)?[*_(\[<#]{0,3}(\d{1,4})[*_)\]>.:：、|]{1,4}\s*(.*?)\s*$")
_FENCE = re.compile(r"^\s*(?:```|~~~)\w*\s*$")
_LONG = 15
"""Characters from which on equal translations of different texts show that lines are confused."""


def numbered(texts: Sequence[str]) -> str:
    """Texts as lines with their numbers."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))


def parse_lines(output: str, count: int) -> list[str] | None:
    """The texts of `count` numbered lines, in order; None if a number is missing, repeated or not in its place.

    Lines before the first number are an introduction; any other line without a number belongs to no text.
    """
    texts: list[str] = []
    for line in output.split("\n"):
        if not line.strip() or _FENCE.match(line):
            continue
        match = _LINE.match(line)
        if match is None and not texts:
            continue
        if match is None or int(match[1]) != len(texts) + 1:
            return None
        texts.append(match[2])
    return texts if len(texts) == count else None


def are_confused(sources: Sequence[str], translations: Sequence[str]) -> bool:
    """Whether translations seem to be those of other lines: they are equal, or have the numbers of another line."""
    long = [text.casefold() for text in translations if len(text) > _LONG]
    if len(set(long)) < len(long):
        return True
    of_sources, of_translations = [numbers(text) for text in sources], [numbers(text) for text in translations]
    for row, own in enumerate(of_translations):
        elsewhere = [other for index, other in enumerate(of_sources) if index != row]
        if own and own != of_sources[row] and own in elsewhere:
            return True
    return False
