"""Mark characters that XML forbids, so that they cost one unit of a corpus and not the whole file.

Marked are control characters, bytes that are invalid in the encoding, `<` and `&` that begin nothing, and undeclared
entities.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain

MARK = "\ufdd0"
"""A character without meaning that XML permits."""
_REFERENCE = "&#xFDD0;"
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)", re.DOTALL)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
_FORBIDDEN = re.compile(_CONTROL)
_TOKEN = re.compile(
    rf"{_CONTROL}|<(?![^\W\d]|[:/!?])|&(?:#(?P<decimal>[0-9]{{1,9}});|#x(?P<hex>[0-9a-fA-F]{{1,8}});"
    r"|(?P<name>[^\W\d][\w.:-]{0,40});)?"
)
_SECTIONS = re.compile(r"(<!\[CDATA\[|<!--|\]\]>|-->)")
_SECTION_ENDS = {"<![CDATA[": "]]>", "<!--": "-->"}
_IN_SECTION = {"]]>": f"]]>{_REFERENCE}<![CDATA[", "-->": " "}
"""Replacement of a control character in a section, by the section's end: references are not parsed there."""
# An incomplete construct that may continue in the next chunk of the document.
_UNFINISHED = re.compile(r"(?:&[\w#.:-]{0,42}|<(?:!(?:-|\[[CDAT]*)?)?|\]{1,2}|-{1,2})\Z")
_OVERLAP = 64
_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

codecs.register_error("distilmt.mark", lambda error: (_REFERENCE, getattr(error, "end", 0)))


def mark_forbidden(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A document with `MARK` instead of everything that would stop an XML parser; the rest is unchanged."""
    pieces = iter(chunks)
    head = next(pieces, b"")
    encoding = _encoding(head)
    decoder = codecs.getincrementaldecoder(encoding)("distilmt.mark")
    marker = _Marker(has_doctype="<!DOCTYPE" in head.decode(encoding, "ignore"))
    for piece in chain((head,), pieces):
        yield marker.feed(decoder.decode(piece)).encode(encoding)
    yield marker.feed(decoder.decode(b"", final=True), final=True).encode(encoding)


def _encoding(head: bytes) -> str:
    """The encoding by byte order mark or declaration; else any single-byte one, since only ASCII is searched."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    return "utf-8" if not declared or declared[1].lower() in (b"utf-8", b"utf8") else "latin-1"


class _Marker:
    """Scans a document chunk by chunk; entities are left unchanged if a document type may declare them."""

    def __init__(self, has_doctype: bool) -> None:
        self._has_doctype = has_doctype
        self._pending, self._section_end = "", ""

    def feed(self, text: str, final: bool = False) -> str:
        """The finished part of the text."""
        text = self._pending + text
        unfinished = None if final else _UNFINISHED.search(text, max(0, len(text) - _OVERLAP))
        end = unfinished.start() if unfinished else len(text)
        self._pending = text[end:]
        return "".join(map(self._marked, _SECTIONS.split(text[:end])))

    def _marked(self, part: str) -> str:
        """The start or end of a section unchanged, other text with marks."""
        if self._section_end:
            replacement = _IN_SECTION[self._section_end]
            self._section_end = "" if part == self._section_end else self._section_end
            return _FORBIDDEN.sub(replacement, part)
        self._section_end = _SECTION_ENDS.get(part, "")
        if part == "]]>" and not self._has_doctype:
            return _REFERENCE
        return _TOKEN.sub(self._replacement, part)

    def _replacement(self, token: re.Match[str]) -> str:
        if token["name"]:
            return token[0] if self._has_doctype or token["name"] in _ENTITIES else _REFERENCE
        number = int(token["decimal"] or token["hex"] or "0", 10 if token["decimal"] else 16)
        return token[0] if _is_permitted(number) else _REFERENCE


def _is_permitted(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code <= 0x10FFFF
