"""Texts with HTML-like tags, as in subtitles and strings of programs."""

from __future__ import annotations

import re

from distilmt.documents.segments import InlineTag, Segment

TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,63}|\d{1,3}(?=\s?/?>))?[^<>\n]{0,2000}>|\{\\[^{}\n]{0,2000}\}")
_ALONE = frozenset({"br", "img", "hr", "wbr", "input", "v", "lang"})


def parse_tags(text: str) -> Segment:
    """A text as strings and tags."""
    segment: Segment = []
    end = 0
    for match in TAG.finditer(text):
        kind = "point" if not match[2] or match[2].lower() in _ALONE or match[0].endswith("/>") else "open"
        segment += [text[end : match.start()], InlineTag("close" if match[1] and kind == "open" else kind, match[0])]  # type: ignore[arg-type]
        end = match.end()
    return [part for part in [*segment, text[end:]] if part != ""]
