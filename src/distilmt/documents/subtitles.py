"""Subtitles: SubRip and WebVTT, cue by cue, and the dialogue of (Advanced) SubStation Alpha.

The readers on PyPI (pysubs2 1.8, webvtt-py 0.6) write a file anew, so that numbers, settings of cues, comments, line
ends and times that are written otherwise get lost. Here all but the text of the cues is copied.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from distilmt.documents import Translate, report_of
from distilmt.documents.document_report import Report
from distilmt.documents.inline import translate_units
from distilmt.documents.inline_tags import TAG, tagged
from distilmt.documents.segments import Mark, Unit, text_of
from distilmt.utils.errors import UserError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ARROW = r"(?:[-–—−=]{1,3}[ \t]?(?:>|&gt;)|[→⟶➔])"
# Hours and fractions may be missing, and frames or hundredths stand for milliseconds.
_GAP = r"[ \t]{0,9}"
_COLON, _POINT = f"{_GAP}:{_GAP}", f"{_GAP}[.,:;]{_GAP}"
_STAMP = rf"[-−]?{_GAP}(?:\d{{1,4}}{_COLON})?\d{{1,3}}{_COLON}\d{{1,2}}(?:{_POINT}\d{{1,9}})?"
_TIMES = re.compile(rf"^{_GAP}{_STAMP}{_GAP}{_ARROW}{_GAP}{_STAMP}(?![\w.,:])")
# Times that cannot be read: an arrow behind numbers, or the one of SubRip and any number.
_DAMAGED = re.compile(
    rf"^[-−]?[\s\d:.,;]{{0,40}}\d[\s\d:.,;hms]{{0,40}}{_ARROW}|^(?=[^\r\n]{{0,200}}\d)[^\r\n]{{0,100}}-->"
)
_NUMBER = re.compile(r"^\s*\d{1,9}[.):]?\s*$")
_BLOCK = re.compile(r"^(?:NOTE|STYLE|REGION)(?:\s|$)")
_OPENING = r"(?:\s*(?:<[^<>\n]{0,200}>|\{[^{}\n]{0,200}\}))*"
# Marks at the start of a line that are not text: the dash of a speaker, bullets, notes of music.
_SIGN = r"(?:[-–—―−‒‐]{1,3}(?!\d)|>{1,3}|[•●○▪■◦‣·*♪♫♬♩]+|#(?=\s))"
_TURN = re.compile(rf"^{_OPENING}\s*{_SIGN}")
_LEADING = re.compile(rf"^\s*(?:{_SIGN}\s*)+")
_TRAILING = re.compile(r"(?<![\s♪♫♬♩])\s*[♪♫♬♩]+\s*$|(?<!\s)\s+#\s*$")
_ASS_BREAK = re.compile(r"\\[Nnh]")


@dataclass
class Piece:
    """A part of a file: text of a cue, or what is copied."""

    raw: str
    is_text: bool = False


def translate_cues(text: str, translate: Translate, entities: bool) -> str:
    """Subtitles: what stands below a cue's times, in as many lines.

    Args:
        text: the file.
        translate: as in `translate_document`.
        entities: whether it is WebVTT: `&amp;` and the like stand for characters, and there are names and comments.

    Raises:
        UserError: there is no cue.
    """
    lines = _LINE.findall(text)
    if text.strip() and not text.startswith("WEBVTT") and not any(map(_TIMES.match, lines)):
        raise UserError("no subtitles in it: a line like 00:00:01,000 --> 00:00:02,000 must stand above each")
    pieces = list(_cues(lines, entities, report_of(translate)))
    return _translated(pieces, translate, tagged, entities)


def translate_ass(text: str, translate: Translate) -> str:
    """SubStation Alpha: the text of `Dialogue` lines; overrides, drawings and comments stay.

    Raises:
        UserError: it has no events.
    """
    lines = _LINE.findall(text)
    if text.strip() and not any(line.strip().lower() == "[events]" for line in lines):
        raise UserError("no subtitles in it: a section [Events] must hold the dialogue")
    return _translated(list(_dialogue(lines)), translate, _ass_unit, entities=False)


def _translated(pieces: list[Piece], translate: Translate, parse: Callable[[str], Unit], entities: bool) -> str:
    texts = [piece for piece in pieces if piece.is_text]
    sources = [_without_signs([_decoded(part, entities) for part in parse(piece.raw)]) for piece in texts]
    report = report_of(translate)
    for piece, source, unit in zip(texts, sources, translate_units(sources, translate), strict=True):
        if text_of(unit) == text_of(source):
            continue
        raw = "".join(_encoded(part, entities) for part in unit)
        if _is_broken(raw, piece.raw):
            report.skip("its translation would be read as a time or a blank line")
        else:
            piece.raw = raw
    return "".join(piece.raw for piece in pieces)


def _is_broken(raw: str, source: str) -> bool:
    """Whether players would read something else than a text in it."""
    lines, before = _LINE.findall(raw), _LINE.findall(source)
    blank = sum(not line.strip() for line in lines) != sum(not line.strip() for line in before)
    return blank or any(map(_TIMES.match, lines)) or (_NUMBER.match(raw) is not None and not _NUMBER.match(source))


def _without_signs(unit: Unit) -> Unit:
    """The signs at the ends of a cue's text become marks, so that no model reads them."""
    texts = [number for number, part in enumerate(unit) if isinstance(part, str) and part.strip()]
    if not texts:
        return unit
    first, last = texts[0], texts[-1]
    tail = _TRAILING.search(str(unit[last]))
    behind: Unit = [Mark("point", tail[0])] if tail else []
    unit = [*unit[:last], str(unit[last])[: tail.start() if tail else None], *behind, *unit[last + 1 :]]
    head = _LEADING.match(str(unit[first]))
    before: Unit = [Mark("point", head[0])] if head else []
    unit = [*unit[:first], *before, str(unit[first])[head.end() if head else 0 :], *unit[first + 1 :]]
    return [part for part in unit if part != ""]


def _decoded(part: str | Mark, entities: bool) -> str | Mark:
    return html.unescape(part) if entities and isinstance(part, str) else part


def _encoded(part: str | Mark, entities: bool) -> str:
    if isinstance(part, Mark):
        return html.escape(part.raw, quote=False) if entities and _LEADING.fullmatch(part.raw) else part.raw
    return html.escape(part, quote=False) if entities else TAG.sub("", part).replace("-->", "->").replace("<", "‹")


def _cues(lines: list[str], is_vtt: bool, report: Report) -> Iterator[Piece]:
    """A file in pieces. A time begins a cue, wherever it stands; a cue ends where the next one begins."""
    starts = []
    for number, line in enumerate(lines):
        if _TIMES.match(line):
            starts.append(number)
        elif _DAMAGED.match(line):
            report.skip("a line with an arrow is no time that can be read", f"line {number + 1}")
            starts.append(number)
    heads = [_head(lines, start, is_vtt) for start in starts]
    yield Piece("".join(lines[: heads[0] if heads else None]))
    for start, head, end in zip(starts, heads, [*heads[1:], len(lines)], strict=True):
        yield Piece("".join(lines[head : start + 1]))
        yield from _turns(lines[start + 1 : end], is_vtt)


def _head(lines: list[str], start: int, is_vtt: bool) -> int:
    """Where a cue begins: with its number or, in WebVTT, with a name behind a blank line."""
    at = start
    while at > 0 and not lines[at - 1].strip():
        at -= 1
    if at > 0 and _NUMBER.match(lines[at - 1]):
        return at - 1
    if not is_vtt or start == 0 or _TIMES.match(lines[start - 1]) or not lines[start - 1].strip():
        return start
    return start - 1 if start == 1 or not lines[start - 2].strip() else start


def _turns(lines: list[str], is_vtt: bool) -> Iterator[Piece]:
    """The text of a cue: a piece for each speaker, and for what stands between blank lines."""
    raws: list[str] = []
    of_text, is_comment, behind_blank = False, False, False
    for line in lines:
        blank = not line.strip()
        is_comment = not blank and (is_comment or (is_vtt and behind_blank and bool(_BLOCK.match(line))))
        is_text = not blank and not is_comment
        if of_text != is_text or (is_text and _TURN.match(line)):
            yield Piece("".join(raws), of_text)
            raws, of_text = [], is_text
        raws.append(line)
        behind_blank = blank
    yield Piece("".join(raws), of_text)


def _dialogue(lines: list[str]) -> Iterator[Piece]:
    section, fields = "", 10
    for line in lines:
        if line.lstrip().startswith("["):
            section = line.strip().lower()
        elif section == "[events]" and line.startswith("Format:"):
            fields = line.count(",") + 1
        if section != "[events]" or not line.startswith("Dialogue:") or line.count(",") < fields - 1:
            yield Piece(line)
            continue
        head = ",".join(line.split(",", fields - 1)[:-1]) + ","
        yield Piece(head)
        is_drawing = re.search(r"\{[^{}]{0,500}\\p[1-9]", line) is not None
        parts = re.findall(r".*?\\[Nn]|[^\r\n]+|[\r\n]+", line[len(head) :])
        yield from [Piece(line[len(head) :])] if is_drawing else _turns(parts, is_vtt=False)


def _ass_unit(text: str) -> Unit:
    unit: Unit = []
    for part in tagged(text):
        if isinstance(part, Mark):
            unit.append(part)
            continue
        end = 0
        for match in _ASS_BREAK.finditer(part):
            unit += [part[end : match.start()], Mark("break", match[0])]
            end = match.end()
        unit.append(part[end:])
    return [part for part in unit if part != ""]
