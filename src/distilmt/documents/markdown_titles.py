"""Titles of links and of the references that a file defines: the tooltip of a link."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from distilmt.documents import Translate, report_of
from distilmt.documents.inline import translate_segments
from distilmt.documents.markdown_inline import InlineText
from distilmt.documents.markdown_structure import LinkDefinition
from distilmt.documents.segments import InlineTag, Segment, text_of
from distilmt.documents.templates import MaskedText

_QUOTED = r"""(?P<title>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))"""
_OF_LINK = re.compile(rf"\]\(.*?\s{_QUOTED}\s*\)\Z", re.DOTALL)
_OF_REFERENCE = re.compile(
    rf"[ \t>]*\[(?:[^\[\]\\]|\\.)+\]:\s*(?:<[^<>\n]*>|[^\s<]\S*)[ \t\n\r>]+{_QUOTED}[ \t]*\Z", re.DOTALL
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|(&#?\w{1,32};)")
_LONGEST = 2000


def titles_of_references(
    references: Sequence[LinkDefinition], lines: Sequence[str], starts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Spans of the titles of a file's references, with their quotation marks, in arbitrary order.

    Args:
        references: their definitions from markdown-it.
        lines: lines of the file.
        starts: start of each line.
    """
    for reference in references:
        first, end = reference.get("map") or (0, 0)
        if not reference.get("title") or not first < end <= len(lines):
            continue
        raw = "".join(lines[first:end])[:_LONGEST]
        if match := _OF_REFERENCE.match(raw.rstrip("\r\n")):
            yield starts[first] + match.start("title"), starts[first] + match.end("title")


def translate_titles(inlines: Sequence[InlineText], masks: MaskedText, translate: Translate) -> None:
    """Translate the titles of the links in texts."""
    matches: list[tuple[InlineText, int, re.Match[str]]] = []
    for inline in inlines:
        for number, mark in enumerate(inline.marks):
            if mark.kind == "close" and mark.raw.startswith("](") and len(mark.raw) <= _LONGEST:
                match = _OF_LINK.match(mark.raw)
                matches += [(inline, number, match)] if match else []
    titles = translated_titles([match["title"] for _, _, match in matches], masks, translate)
    for (inline, number, match), title in zip(matches, titles, strict=True):
        if title != match["title"]:
            raw = match.string
            inline.tags[number] = raw[: match.start("title")] + title + raw[match.end("title") :]


def translated_titles(raws: Sequence[str], masks: MaskedText, translate: Translate) -> list[str]:
    """Translate titles with their quotation marks; unchanged titles keep their raw form."""
    segments = [_unit(raw[1:-1], masks) for raw in raws]
    titles: list[str] = []
    for raw, source, segment in zip(raws, segments, translate_segments(segments, translate), strict=True):
        changed = text_of(segment) != text_of(source)
        report_of(translate).translated += changed
        titles.append(raw[0] + _written(segment, raw[0]) + raw[-1] if changed else raw)
    return titles


def _unit(title: str, masks: MaskedText) -> Segment:
    return [
        InlineTag("kept", part, masks.shown(part))
        if is_mask
        else _ESCAPED.sub(lambda match: match[1] or html.unescape(match[2]), part)
        for part, is_mask in masks.parts(title)
        if part
    ]


def _written(unit: Segment, quote: str) -> str:
    signs = {'"': r'["\\&]', "'": r"['\\&]", "(": r"[()\\&]"}[quote]
    return "".join(part.raw if isinstance(part, InlineTag) else re.sub(signs, r"\\\g<0>", part) for part in unit)
