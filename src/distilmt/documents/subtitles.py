"""Subtitles: SubRip and WebVTT, cue by cue, and the dialogue of (Advanced) SubStation Alpha.

The readers on PyPI (pysubs2 1.8, webvtt-py 0.6) rewrite a file, which loses numbers, settings of cues, comments, line
ends and unusual forms of times. This module copies all but the text of the cues.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from distilmt.documents import Translate, report_of
from distilmt.documents.document_report import DocumentReport
from distilmt.documents.inline import translate_segments
from distilmt.documents.inline_tags import TAG, parse_tags
from distilmt.documents.segments import InlineTag, Segment, text_of
from distilmt.utils.errors import UserError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ARROW = r"(?:[-–—−=]{1,3}[ \t]?(?:>|&gt;)|[→⟶➔])"
# Hours and fractions may be missing; frames or hundredths may replace milliseconds.
_GAP = r"[ \t]{0,9}"
_COLON, _POINT = f"{_GAP}:{_GAP}", f"{_GAP}[.,:;]{_GAP}"
_STAMP = rf"[-−]?{_GAP}(?:\d{{1,4}}{_COLON})?\d{{1,3}}{_COLON}\d{{1,2}}(?:{_POINT}\d{{1,9}})?"
CUE_TIMES = re.compile(rf"^{_GAP}{_STAMP}{_GAP}{_ARROW}{_GAP}{_STAMP}(?![\w.,:])")
# Unreadable times: an arrow after numbers, or the arrow of SubRip and any number.
_DAMAGED = re.compile(
    rf"^[-−]?[\s\d:.,;]{{0,40}}\d[\s\d:.,;hms]{{0,40}}{_ARROW}|^(?=[^\r\n]{{0,200}}\d)[^\r\n]{{0,100}}-->"
)
_NUMBER = re.compile(r"^\s*\d{1,9}[.):]?\s*$")
_BLOCK = re.compile(r"^(?:NOTE|STYLE|REGION)(?:\s|$)")
_OPENING = r"(?:\s*(?:<[^<>\n]{0,200}>|\{[^{}\n]{0,200}\}))*"
# Signs at the start of a line that are not text: the dash of a speaker, bullets, musical notes.
_SIGN = r"(?:[-–—―−‒‐]{1,3}(?!\d)|>{1,3}|[•●○▪■◦‣·*♪♫♬♩]+|#(?=\s))"
_TURN = re.compile(rf"^{_OPENING}\s*{_SIGN}")
_LEADING = re.compile(rf"^\s*(?:{_SIGN}\s*)+")
_TRAILING = re.compile(r"(?<![\s♪♫♬♩])\s*[♪♫♬♩]+\s*$|(?<!\s)\s+#\s*$")
_DRAWING = re.compile(r"\{[^{}]{0,500}\\p(\d)[^{}]{0,500}\}")
# A comment of the author: braces without an override in them.
_COMMENT = re.compile(r"\{[^{}\\\r\n]{0,2000}\}")
# How the text before it is read: a mark, as the two would be one word.
_RUBY = re.compile(r"<rt>[^<>\r\n]{0,500}</rt>")
_ASS_MARK = re.compile(rf"\\[Nnh]|{_COMMENT.pattern}")


@dataclass
class SubtitlePart:
    """A part of a file: the text of a cue, or copied content."""

    raw: str
    is_text: bool = False


def translate_cues(text: str, translate: Translate, entities: bool) -> str:
    """Translate subtitles: the text below a cue's times, in the same number of lines.

    Args:
        text: the file.
        translate: as in `translate_document`.
        entities: whether it is WebVTT, with entities such as `&amp;`, names and comments.

    Raises:
        UserError: the file has no cue.
    """
    lines = _LINE.findall(text)
    if text.strip() and not text.startswith("WEBVTT") and not any(map(CUE_TIMES.match, lines)):
        raise UserError("it has no subtitles: each needs a line like 00:00:01,000 --> 00:00:02,000 above it")
    parts = list(_cues(lines, entities, report_of(translate)))
    return _translate_parts(parts, translate, _cue_segment, entities)


def translate_ass(text: str, translate: Translate) -> str:
    """Translate SubStation Alpha: the text of `Dialogue` lines; overrides, drawings and comments stay unchanged.

    Raises:
        UserError: the file has no events.
    """
    lines = _LINE.findall(text)
    if text.strip() and not any(line.strip().lower() == "[events]" for line in lines):
        raise UserError("it has no subtitles: a section [Events] must contain the dialogue")
    return _translate_parts(list(_dialogue(lines, report_of(translate))), translate, _ass_segment, entities=False)


def _translate_parts(
    parts: list[SubtitlePart], translate: Translate, parse: Callable[[str], Segment], entities: bool
) -> str:
    texts = [subtitle_part for subtitle_part in parts if subtitle_part.is_text]
    sources = [
        _without_signs([_decoded(part, entities) for part in parse(subtitle_part.raw)]) for subtitle_part in texts
    ]
    report = report_of(translate)
    if rubies := sum(len(_RUBY.findall(subtitle_part.raw)) for subtitle_part in texts):
        report.skip("it stands above other text, as its pronunciation (<rt>)", count=rubies)
    for subtitle_part, source, segment in zip(texts, sources, translate_segments(sources, translate), strict=True):
        if text_of(segment) == text_of(source):
            continue
        raw = "".join(_encoded(part, entities) for part in segment)
        if entities and "&nbsp;" in subtitle_part.raw and "\xa0" not in subtitle_part.raw:
            raw = raw.replace("\xa0", "&nbsp;")
        if _is_broken(raw, subtitle_part.raw):
            report.skip("its translation would be parsed as a time or a blank line")
        else:
            subtitle_part.raw = raw
    return "".join(subtitle_part.raw for subtitle_part in parts)


def _is_broken(raw: str, source: str) -> bool:
    """Whether players would parse it as something other than text."""
    lines, before = _LINE.findall(raw), _LINE.findall(source)
    blank = sum(not line.strip() for line in lines) != sum(not line.strip() for line in before)
    return blank or any(map(CUE_TIMES.match, lines)) or (_NUMBER.match(raw) is not None and not _NUMBER.match(source))


def _without_signs(segment: Segment) -> Segment:
    """Make the signs at the ends of a cue's text tags, so that they are not sent to the model."""
    texts = [number for number, part in enumerate(segment) if isinstance(part, str) and part.strip()]
    if not texts:
        return segment
    first, last = texts[0], texts[-1]
    tail = _TRAILING.search(str(segment[last]))
    behind: Segment = [InlineTag("point", tail[0])] if tail else []
    segment = [*segment[:last], str(segment[last])[: tail.start() if tail else None], *behind, *segment[last + 1 :]]
    head = _LEADING.match(str(segment[first]))
    before: Segment = [InlineTag("point", head[0])] if head else []
    segment = [*segment[:first], *before, str(segment[first])[head.end() if head else 0 :], *segment[first + 1 :]]
    return [part for part in segment if part != ""]


def _decoded(part: str | InlineTag, entities: bool) -> str | InlineTag:
    return html.unescape(part) if entities and isinstance(part, str) else part


def _encoded(part: str | InlineTag, entities: bool) -> str:
    if isinstance(part, InlineTag):
        return html.escape(part.raw, quote=False) if entities and _LEADING.fullmatch(part.raw) else part.raw
    return html.escape(part, quote=False) if entities else TAG.sub("", part).replace("-->", "->").replace("<", "‹")


def _cues(lines: list[str], is_vtt: bool, report: DocumentReport) -> Iterator[SubtitlePart]:
    """Split a file into parts. A time always begins a cue; a cue ends where the next one begins."""
    starts = []
    for number, line in enumerate(lines):
        if CUE_TIMES.match(line):
            starts.append(number)
        elif _DAMAGED.match(line):
            report.skip("a line with an arrow is not a readable time", f"line {number + 1}")
            starts.append(number)
    heads = [_head(lines, start, is_vtt) for start in starts]
    yield SubtitlePart("".join(lines[: heads[0] if heads else None]))
    ends = [*heads[1:], len(lines)] if heads else []  # a WebVTT file may have no cues
    for start, head, end in zip(starts, heads, ends, strict=True):
        yield SubtitlePart("".join(lines[head : start + 1]))
        yield from _turns(lines[start + 1 : end], is_vtt)


def _head(lines: list[str], start: int, is_vtt: bool) -> int:
    """Start of a cue: its number or, in WebVTT, a name after a blank line."""
    at = start
    while at > 0 and not lines[at - 1].strip():
        at -= 1
    if at > 0 and _NUMBER.match(lines[at - 1]):
        return at - 1
    if not is_vtt or start == 0 or CUE_TIMES.match(lines[start - 1]) or not lines[start - 1].strip():
        return start
    return start - 1 if start == 1 or not lines[start - 2].strip() else start


def _turns(lines: list[str], is_vtt: bool) -> Iterator[SubtitlePart]:
    """Split the text of a cue by speaker and at blank lines."""
    raws: list[str] = []
    of_text, is_comment, behind_blank = False, False, False
    for line in lines:
        blank = not line.strip()
        is_comment = not blank and (is_comment or (is_vtt and behind_blank and bool(_BLOCK.match(line))))
        is_text = not blank and not is_comment
        if of_text != is_text or (is_text and _TURN.match(line)):
            yield SubtitlePart("".join(raws), of_text)
            raws, of_text = [], is_text
        raws.append(line)
        behind_blank = blank
    yield SubtitlePart("".join(raws), of_text)


def _dialogue(lines: list[str], report: DocumentReport) -> Iterator[SubtitlePart]:
    section, fields = "", 10
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("["):
            section = line.strip().lower()
        elif section == "[events]" and line.lower().startswith("format:"):
            fields = line.count(",") + 1
        is_dialogue = section == "[events]" and line.lower().startswith("dialogue:")
        if not is_dialogue or line.count(",") < fields - 1:
            if is_dialogue:
                report.skip("it has fewer fields than its Format line names", f"line {number}")
            yield SubtitlePart(line)
            continue
        head = ",".join(line.split(",", fields - 1)[:-1]) + ","
        yield SubtitlePart(head)
        for raw, is_drawing in _drawings(line[len(head) :]):
            parts = re.findall(r".*?\\[Nn]|[^\r\n]+|[\r\n]+", raw)
            yield from [SubtitlePart(raw)] if is_drawing else _turns(parts, is_vtt=False)


def _drawings(text: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces: what is drawn, from `{\\p1}` to before `{\\p0}`, and what is read."""
    end, is_drawing = 0, False
    for match in _DRAWING.finditer(text):
        if (match[1] != "0") != is_drawing:
            yield text[end : match.start()], is_drawing
            end, is_drawing = match.start(), not is_drawing
    yield text[end:], is_drawing


def _cue_segment(text: str) -> Segment:
    segment: Segment = []
    end = 0
    for match in _RUBY.finditer(text):
        segment += [*parse_tags(text[end : match.start()]), InlineTag("point", match[0])]
        end = match.end()
    return [*segment, *parse_tags(text[end:])]


def _ass_segment(text: str) -> Segment:
    segment: Segment = []
    for part in parse_tags(text):
        if isinstance(part, InlineTag):
            segment.append(part)
            continue
        end = 0
        for match in _ASS_MARK.finditer(part):
            kind = "break" if match[0][0] == "\\" else "point"
            segment += [part[end : match.start()], InlineTag(kind, match[0])]  # type: ignore[arg-type]
            end = match.end()
        segment.append(part[end:])
    return [part for part in segment if part != ""]
