"""Titles of links and of the references that a file defines: what a reader sees when the mouse stands on a link."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

from distilmt.documents import Translate, report_of
from distilmt.documents.inline import translate_units
from distilmt.documents.markdown_inline import Inline
from distilmt.documents.segments import Mark, Unit, text_of
from distilmt.documents.templates import Masked

_QUOTED = r"""(?P<title>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))"""
_OF_LINK = re.compile(rf"\]\(.*?\s{_QUOTED}\s*\)\Z", re.DOTALL)
_OF_REFERENCE = re.compile(
    rf"[ \t>]*\[(?:[^\[\]\\]|\\.)+\]:\s*(?:<[^<>\n]*>|[^\s<]\S*)[ \t\n\r>]+{_QUOTED}[ \t]*\Z", re.DOTALL
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|(&#?\w{1,32};)")
_LONGEST = 2000


def titles_of_references(
    references: Sequence[dict[str, Any]], lines: Sequence[str], starts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Where the titles of a file's references stand, with their quotation marks, in no order.

    Args:
        references: their definitions, as markdown-it has them.
        lines: of the file.
        starts: where each begins.
    """
    for reference in references:
        first, end = reference.get("map") or (0, 0)
        if not reference.get("title") or not first < end <= len(lines):
            continue
        raw = "".join(lines[first:end])[:_LONGEST]
        if match := _OF_REFERENCE.match(raw.rstrip("\r\n")):
            yield starts[first] + match.start("title"), starts[first] + match.end("title")


def translate_titles(inlines: Sequence[Inline], masks: Masked, translate: Translate) -> None:
    """Translate the titles of the links in texts."""
    found: list[tuple[Inline, int, re.Match[str]]] = []
    for inline in inlines:
        for number, mark in enumerate(inline.marks):
            if mark.kind == "close" and mark.raw.startswith("](") and len(mark.raw) <= _LONGEST:
                match = _OF_LINK.match(mark.raw)
                found += [(inline, number, match)] if match else []
    made = translated_titles([match["title"] for _, _, match in found], masks, translate)
    for (inline, number, match), title in zip(found, made, strict=True):
        if title != match["title"]:
            raw = match.string
            inline.tags[number] = raw[: match.start("title")] + title + raw[match.end("title") :]


def translated_titles(raws: Sequence[str], masks: Masked, translate: Translate) -> list[str]:
    """Titles with their quotation marks, translated; those that do not change stand as they stood."""
    units = [_unit(raw[1:-1], masks) for raw in raws]
    made: list[str] = []
    for raw, source, unit in zip(raws, units, translate_units(units, translate), strict=True):
        changed = text_of(unit) != text_of(source)
        report_of(translate).translated += changed
        made.append(raw[0] + _written(unit, raw[0]) + raw[-1] if changed else raw)
    return made


def _unit(title: str, masks: Masked) -> Unit:
    return [
        Mark("kept", part, masks.shown(part))
        if is_mask
        else _ESCAPED.sub(lambda match: match[1] or html.unescape(match[2]), part)
        for part, is_mask in masks.parts(title)
        if part
    ]


def _written(unit: Unit, quote: str) -> str:
    signs = {'"': r'["\\&]', "'": r"['\\&]", "(": r"[()\\&]"}[quote]
    return "".join(part.raw if isinstance(part, Mark) else re.sub(signs, r"\\\g<0>", part) for part in unit)
