"""Plain text, line by line."""

from __future__ import annotations

import re

from distilmt.documents import Translate
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import text_of

# Line ends of Unicode (UAX 14: BK, CR, LF, NL): no sentence continues after the end of a page or paragraph.
_LINE = re.compile(r"[^\n\v\f\r\x85\u2028\u2029]*(?:\r\n|[\n\v\f\r\x85\u2028\u2029])|[^\n\v\f\r\x85\u2028\u2029]+")


def translate_lines(text: str, translate: Translate) -> str:
    """Translate plain text line by line, with unchanged white space and line ends."""
    return "".join(
        text_of(segment) for segment in translate_segments([[line] for line in _LINE.findall(text)], translate)
    )
