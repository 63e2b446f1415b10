"""Plain text, line by line, and subtitles (SubRip and WebVTT), cue by cue.

The readers of subtitles on PyPI write a file anew: settings of cues, regions or numbers get lost. Here all but the
text of the cues is copied.
"""

from __future__ import annotations

import html
import re

from distilmt.errors import UserError
from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.units import Mark, Unit, text_of

_TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,63})?[^<>\n]{0,2000}>|\{\\[^{}\n]{0,2000}\}")
_TIMES = re.compile(
    r"^[ \t]*(?:\d{1,4}:)?\d{1,2}:\d\d[.,]\d{1,3}[ \t]+-->[ \t]+(?:\d{1,4}:)?\d{1,2}:\d\d[.,]\d{1,3}.*$"
)
_ALONE = frozenset({"br", "img", "hr", "wbr", "input", "v", "lang"})


def translate_lines(text: str, translate: Translate) -> str:
    """Plain text: a line for a line, with white space and line ends as they were."""
    return "".join(text_of(unit) for unit in translate_units([[line] for line in _lines(text)], translate))


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def tagged(text: str) -> Unit:
    """A text with tags like those of HTML in it, such as subtitles and messages of programs have."""
    unit: Unit = []
    end = 0
    for match in _TAG.finditer(text):
        kind = "point" if not match[2] or match[2].lower() in _ALONE or match[0].endswith("/>") else "open"
        unit += [text[end : match.start()], Mark("close" if match[1] and kind == "open" else kind, match[0])]  # type: ignore[arg-type]
        end = match.end()
    return [part for part in [*unit, text[end:]] if part != ""]


def translate_cues(text: str, translate: Translate, entities: bool) -> str:
    """Subtitles: what stands below a cue's times, in as many lines.

    Args:
        text: the file.
        translate: as in `translate_document`.
        entities: whether `&amp;` and the like stand for characters, as in WebVTT.

    Raises:
        UserError: there is no cue.
    """
    pieces, cues = _cues(text)
    if not cues and text.strip() and not text.startswith("WEBVTT"):
        raise UserError("no subtitles in it: a line like 00:00:01,000 --> 00:00:02,000 must stand above each")
    sources = [[_decoded(p, entities) for p in tagged(pieces[i])] for i in cues]
    for i, source, unit in zip(cues, sources, translate_units(sources, translate), strict=True):
        if text_of(unit) != text_of(source):
            pieces[i] = "".join(_encoded(part, entities) for part in unit)
    return "".join(pieces)


def _decoded(part: str | Mark, entities: bool) -> str | Mark:
    return html.unescape(part) if entities and isinstance(part, str) else part


def _encoded(part: str | Mark, entities: bool) -> str:
    if isinstance(part, Mark):
        return part.raw
    return html.escape(part, quote=False) if entities else _TAG.sub("", part).replace("-->", "->").replace("<", "‹")


def _cues(text: str) -> tuple[list[str], list[int]]:
    """A file in pieces, and the numbers of those that are a cue's text (a line each where people talk by turns)."""
    pieces: list[str] = []
    cues: list[int] = []
    lines = _lines(text)
    number = 0
    while number < len(lines):
        pieces.append(lines[number])
        number += 1
        if not _TIMES.match(pieces[-1].rstrip("\r\n")):
            continue
        end = number
        while end < len(lines) and lines[end].strip():
            end += 1
        body = lines[number:end]
        turns = len(body) > 1 and all(line.lstrip()[:1] in "-–—" for line in body)
        for piece in body if turns else ["".join(body)] if body else []:
            cues.append(len(pieces))
            pieces.append(piece)
        number = end
    return pieces, cues
