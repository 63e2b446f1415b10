"""Segments (texts with inline tags), and their split into sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from distilmt.data.sentence_splitter import sentences

_BREAK = re.compile(r"(?! (?=\S|\Z))\s+")


TagKind: TypeAlias = Literal["open", "close", "point", "kept", "break", "placeholder", "fence"]


@dataclass(frozen=True, eq=False)
class InlineTag:
    """Markup between two texts that is copied; `raw` is its form in the file.

    `open` and `close` enclose a text, a `point` is single, a `kept` one is shown to the model as a word (`shown`), a
    `break` is white space other than one space. A `placeholder` is shown as a word and may move in the translation, a
    `fence` is a statement of a template: text must not move across it.
    """

    kind: TagKind
    raw: str
    shown: str = ""
    ordered: bool = False
    """Whether a placeholder must stay after the ordered ones before it."""

    @property
    def is_word(self) -> bool:
        """Whether it is shown to the model as a word."""
        return self.kind in ("kept", "placeholder")


Segment = list["str | InlineTag"]


def gaps(segment: Segment) -> list[Segment]:
    """The parts before, between and after a segment's tags (text, breaks, placeholders): one more than the tags."""
    groups: list[Segment] = [[]]
    for part in segment:
        if isinstance(part, str) or part.kind in ("break", "placeholder", "fence"):
            groups[-1].append(part)
        else:
            groups.append([])
    return groups


def text_of(segment: Segment) -> str:
    """A segment's strings and tags as one string."""
    return "".join(part if isinstance(part, str) else part.raw for part in segment)


def merge_strings(segment: Segment) -> Segment:
    """The segment with adjacent strings joined, and without empty ones."""
    result: Segment = []
    for is_text, parts in groupby(segment, lambda part: isinstance(part, str)):
        if not is_text:
            result += parts
        elif text := text_of(list(parts)):
            result.append(text)
    return result


def mark_breaks(segment: Segment) -> Segment:
    """Make white space other than a single space a tag, and a space that follows another one after a tag."""
    parts: Segment = []
    spaced = False
    for part in merge_strings(segment):
        if isinstance(part, InlineTag):
            parts.append(part)
            spaced = part.kind == "break" or (spaced and not part.is_word)
            continue
        end = 0
        if spaced and part.startswith(" "):
            end = len(part) - len(part.lstrip())
            parts.append(InlineTag("break", part[:end]))
        spaced = part[-1:].isspace() if part else spaced
        for match in _BREAK.finditer(part, end):
            parts += [part[end : match.start()], InlineTag("break", match[0])]
            end = match.end()
        parts.append(part[end:])
    return [part for part in parts if part != ""]


def _width(part: str | InlineTag) -> int:
    return len(part) if isinstance(part, str) else int(part.is_word or part.kind == "break")


def sentence_segments(segment: Segment) -> list[tuple[bool, Segment]]:
    """A segment's sentences and the parts between them; their concatenation is the segment."""
    shown = {"kept": "X", "placeholder": "X", "break": "\n"}
    plain = "".join(p if isinstance(p, str) else shown.get(p.kind, "") for p in segment)
    cuts: list[int] = []
    for sentence in sentences(plain):
        begin = plain.index(sentence, cuts[-1] if cuts else 0)
        cuts += [begin, begin + len(sentence)]
    return [(number % 2 == 1, parts) for number, parts in enumerate(_cut(segment, cuts))]


def _cut(segment: Segment, cuts: Sequence[int]) -> list[Segment]:
    """Split a segment at these characters. Tags without width stay with their text."""
    groups: list[Segment] = [[]]
    at = 0
    for part in segment:
        width, used = _width(part), 0
        while len(groups) <= len(cuts):
            left = cuts[len(groups) - 1] - at
            # A sentence keeps a closing tag or a note after it; the part between two sentences keeps only closing tags.
            stay = ("close", "point") if len(groups) % 2 == 0 else ("close",)
            if left >= width - used and (left > 0 or (isinstance(part, InlineTag) and part.kind in stay)):
                break
            if isinstance(part, str) and left:
                groups[-1].append(part[used : used + left])
            used, at = used + left, at + left
            groups.append([])
        groups[-1].append(part[used:] if isinstance(part, str) else part)
        at += width - used
    groups += [[] for _ in range(len(cuts) + 1 - len(groups))]
    return [[p for p in piece if p != ""] for piece in groups]


def tag_pairs(parts: Sequence[object]) -> dict[int, int]:
    """The matching closing tag of every opening tag, by their numbers."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, InlineTag) and part.kind == "open":
            opened.append(number)
        elif isinstance(part, InlineTag) and part.kind == "close" and opened:
            pairs[opened.pop()] = number
    return pairs


def trim_outer_tags(parts: Segment) -> tuple[int, int]:
    """Span of a sentence without the tags that enclose all of it."""
    start, end, pairs = 0, len(parts), tag_pairs(parts)
    closers = {close: open_ for open_, close in pairs.items()}

    def outer(number: int, partner: int | None, own: str) -> bool:
        part = parts[number]
        if isinstance(part, str) or part.is_word:
            return False
        return part.kind != own or partner is None or not start <= partner < end

    while start < end:
        if pairs.get(start) == end - 1:
            start, end = start + 1, end - 1
        elif outer(start, pairs.get(start), "open"):
            start += 1
        elif outer(end - 1, closers.get(end - 1), "close"):
            end -= 1
        else:
            break
    return start, end
