"""Remove what encloses a translation in a response: JSON, a list, the source before an arrow or on its own line.

Nothing is removed that the source itself contains.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile

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
# German and other languages write ordinals like list numbers: "1. Mai".
_ONE = re.compile(r"1|\b(?:first|one)\b", re.IGNORECASE)
_ROLE = "assistant|model|user|human|system|developer"
_TURN = re.compile(
    rf"<\|start_header_id\|>\s*(?P<header>\w+)\s*<\|end_header_id\|>"
    rf"|(?:<\|(?:im_start|start|start_of_role)\|>|<start_of_turn>)(?:\s*(?P<role>{_ROLE})\b)?"
    r"|<\|(?:im_end|eot_id|eom_id|end|return|end_of_text|endoftext|end_of_turn)\|>|<end_of_turn>|<eos>|</s>",
    re.IGNORECASE,
)
_OTHERS = frozenset({"user", "human", "system", "developer"})
_ARROW = re.compile(r"\s*(?:→|⟶|⇒|->|=>|—>|=)\s*")


def from_json(text: str, source: str, language: str) -> str:
    """The translation in a JSON object or list; the text itself if it is not JSON or no entry can be identified."""
    if text[:1] not in ("{", "[") or source.lstrip()[:1] in ("{", "["):
        return text
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    return _translation_in(value, source, language) or text


def _translation_in(value: object, source: str, language: str) -> str:
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
    """The text without the source on the first line or before an arrow, if a translation follows."""
    first, _, other_lines = text.partition("\n")
    if other_lines.strip() and _same(first, source):
        return other_lines.strip()
    for arrow in _ARROW.finditer(first):
        if _same(first[: arrow.start()], source) and first[arrow.end() :].strip():
            return text[arrow.end() :]
    return text


def first_item(text: str, source: str) -> str:
    """The first of several translations in a list, whatever follows it, or the only one after a number.

    A single dash may mark a dialogue.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    items = list(takewhile(_ITEM.match, lines))
    if not items or _ITEM.match(source.lstrip()):
        return text
    if len(items) == 1 and (_ONE.search(source) or not _NUMBER.match(items[0])):
        return text
    return _ITEM.sub("", items[0], count=1)


def first_turn(text: str, source: str) -> str:
    """The first turn of a conversation that is not a user's: behind it a model plays both sides."""
    marks = [mark for mark in _TURN.finditer(text) if mark[0] not in source]
    if not marks:
        return text
    starts, ends = [0, *(mark.end() for mark in marks)], [*(mark.start() for mark in marks), len(text)]
    roles = ["", *((mark["role"] or mark["header"] or "").lower() for mark in marks)]
    turns = (
        text[start:end].strip() for start, end, role in zip(starts, ends, roles, strict=True) if role not in _OTHERS
    )
    return next(filter(None, turns), "")


def _same(one: str, other: str) -> bool:
    return one.strip().strip("\"'“”„«»*`").strip().casefold() == other.strip().strip("\"'“”„«»*`").strip().casefold()
