"""What encloses a translation in an answer: JSON, a list of several, the source before an arrow or on its own line.

Nothing is taken away that the source has itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

_NAMES = (
    "translation",
    "translated_text",
    "translatedtext",
    "translated",
    "target",
    "output",
    "result",
    "answer",
    "text",
)
_ITEM = re.compile(r"^(?:\(?\d{1,2}[.):]|[-*•])\s+")
_NUMBER = re.compile(r"^\(?1[.):]\s+")
# German and others write ordinals like the number of a list: "1. Mai".
_ONE = re.compile(r"1|\b(?:first|one)\b", re.IGNORECASE)
_ARROW = re.compile(r"\s*(?:→|⟶|⇒|->|=>|—>|=)\s*")


def from_json(text: str, source: str, language: str) -> str:
    """The translation in a JSON object or list; the text itself where it is none, or does not say which it is."""
    if text[:1] not in ("{", "[") or source.lstrip()[:1] in ("{", "["):
        return text
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    return _translation_in(value, source, language) or text


def _translation_in(value: Any, source: str, language: str) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    texts = {str(key).lower(): text for key, text in value.items() if isinstance(text, str)}
    others = [text for text in texts.values() if not _same(text, source)]
    named = [texts[name] for name in (*_NAMES[:-1], language.lower(), _NAMES[-1]) if name in texts]
    nested = [each for each in value.values() if isinstance(each, dict | list)]
    if named or len(others) == 1:
        return named[0] if named else others[0]
    return _translation_in(nested[0], source, language) if len(nested) == 1 and not others else ""


def without_source(text: str, source: str) -> str:
    """Without the source on the first line, or before an arrow, where a translation follows."""
    first, _, other_lines = text.partition("\n")
    if other_lines.strip() and _same(first, source):
        return other_lines.strip()
    for arrow in _ARROW.finditer(first):
        if _same(first[: arrow.start()], source) and first[arrow.end() :].strip():
            return text[arrow.end() :]
    return text


def first_item(text: str, source: str) -> str:
    """The first of several translations in a list, or the only one behind a number; a dash may be a dialogue's."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines or _ITEM.match(source.lstrip()) or not all(map(_ITEM.match, lines)):
        return text
    if len(lines) == 1 and (_ONE.search(source) or not _NUMBER.match(lines[0])):
        return text
    return _ITEM.sub("", lines[0], count=1)


def _same(one: str, other: str) -> bool:
    return one.strip().strip("\"'“”„«»*`").strip().casefold() == other.strip().strip("\"'“”„«»*`").strip().casefold()
