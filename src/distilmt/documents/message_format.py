"""Messages with one text per case: ICU's plural and select, and the forms of MediaWiki."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distilmt.documents.brackets import Brackets

_ICU = re.compile(r"\{\s*[\w.]{1,99}\s*,\s*(?:plural|select|selectordinal)\s*,\s*(?:offset:\s*\d{1,9}\s*)?")
_KEYWORD = re.compile(r"\s*(?:=\d{1,9}|[\w-]{1,99})\s*(?=\{)")
_FORMS = re.compile(r"\{\{\s*(?:PLURAL|GENDER)\s*:[^|{}\n]{0,99}\|", re.IGNORECASE)
_FAILURES = 50  # maximum incomplete choices, which may be nested
_NUMBERED = re.compile(r"\s*\d{1,9}\s*=")


@dataclass(frozen=True)
class Choice:
    """Its span in a text, and its parts: copied ones at even indices, texts at odd ones."""

    start: int
    end: int
    parts: tuple[str, ...]
    is_icu: bool = True


def choices(text: str) -> Iterator[Choice]:
    """The outermost choices of a text, from left to right."""
    if "," not in text and "|" not in text:
        return
    brackets = Brackets(text)
    at = failures = 0
    while (at := text.find("{", at)) >= 0 and failures < _FAILURES:
        choice = _forms(text, at, brackets) if text.startswith("{{", at) else _icu(text, at, brackets)
        failures += choice is None and (_ICU.match(text, at) or _FORMS.match(text, at)) is not None
        if choice:
            yield choice
        at = choice.end if choice else at + (2 if text.startswith("{{", at) else 1)


def _icu(text: str, start: int, brackets: Brackets) -> Choice | None:
    head, end = _ICU.match(text, start), brackets.match(start)
    if head is None or end is None:
        return None
    parts, copied, at = [], start, head.end()
    while keyword := _KEYWORD.match(text, at, end):
        close = brackets.match(keyword.end())
        if close is None or close >= end:
            return None
        parts += [text[copied : keyword.end() + 1], text[keyword.end() + 1 : close - 1]]
        copied, at = close - 1, close
    if not parts or text[at : end - 1].strip():
        return None
    return Choice(start, end, (*parts, text[copied:end]))


def _forms(text: str, start: int, brackets: Brackets) -> Choice | None:
    head, end = _FORMS.match(text, start), brackets.match(start)
    if head is None or end is None or not text.endswith("}}", start, end) or "{" in text[head.end() : end]:
        return None
    parts, copied, at = [], start, head.end()
    for form in text[head.end() : end - 2].split("|"):
        numbered = _NUMBERED.match(form)
        begin = at + (numbered.end() if numbered else 0)
        at += len(form)
        parts += [text[copied:begin], text[begin:at]]
        copied, at = at, at + 1
    return Choice(start, end, (*parts, text[copied:end]), is_icu=False)
