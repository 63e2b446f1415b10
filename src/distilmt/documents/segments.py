"""Units: texts with marks in them, and how they are cut into sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from distilmt.data.sentence_splitter import sentences

_BREAK = re.compile(r"(?! (?=\S|\Z))\s+")


@dataclass(frozen=True, eq=False)
class InlineTag:
    """What stands between two texts and stays: `raw` as the file has it.

    `open` and `close` hold a text between them, a `point` stands alone, a `kept` one is read as a word (`shown`), a
    `break` is white space other than one space. A `placeholder` is read as a word and may stand elsewhere in the
    translation, a `fence` is a statement of a template: no text passes it.
    """

    kind: Literal["open", "close", "point", "kept", "break", "placeholder", "fence"]
    raw: str
    shown: str = ""
    ordered: bool = False
    """Whether a placeholder stands behind the ordered ones that stood before it."""

    @property
    def is_word(self) -> bool:
        """Whether the model reads it as a word."""
        return self.kind in ("kept", "placeholder")


Segment = list["str | InlineTag"]


def gaps(segment: Segment) -> list[Segment]:
    """What stands before, between and behind a unit's marks (text, breaks, placeholders): one more than the marks."""
    groups: list[Segment] = [[]]
    for part in segment:
        if isinstance(part, str) or part.kind in ("break", "placeholder", "fence"):
            groups[-1].append(part)
        else:
            groups.append([])
    return groups


def text_of(segment: Segment) -> str:
    """A unit's strings and marks as one string."""
    return "".join(part if isinstance(part, str) else part.raw for part in segment)


def merge_strings(segment: Segment) -> Segment:
    """The unit with neighboring strings as one, and without empty ones."""
    result: Segment = []
    for is_text, parts in groupby(segment, lambda part: isinstance(part, str)):
        if not is_text:
            result += parts
        elif text := text_of(list(parts)):
            result.append(text)
    return result


def mark_breaks(segment: Segment) -> Segment:
    """White space that is more than a space becomes a mark, as does a space that follows another behind a tag."""
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
    """A unit's sentences, and in between what is none; together they are the unit."""
    shown = {"kept": "X", "placeholder": "X", "break": "\n"}
    plain = "".join(p if isinstance(p, str) else shown.get(p.kind, "") for p in segment)
    cuts: list[int] = []
    for sentence in sentences(plain):
        begin = plain.index(sentence, cuts[-1] if cuts else 0)
        cuts += [begin, begin + len(sentence)]
    return [(number % 2 == 1, parts) for number, parts in enumerate(_cut(segment, cuts))]


def _cut(segment: Segment, cuts: Sequence[int]) -> list[Segment]:
    """A unit in pieces, cut at these characters. Marks without width stay with the text that they belong to."""
    groups: list[Segment] = [[]]
    at = 0
    for part in segment:
        width, used = _width(part), 0
        while len(groups) <= len(cuts):
            left = cuts[len(groups) - 1] - at
            # A sentence keeps a closing tag or a note behind it; what is between two keeps only closing tags.
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
    """For every opening mark the closing one that belongs to it, by their numbers."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, InlineTag) and part.kind == "open":
            opened.append(number)
        elif isinstance(part, InlineTag) and part.kind == "close" and opened:
            pairs[opened.pop()] = number
    return pairs


def trim_outer_tags(parts: Segment) -> tuple[int, int]:
    """From where to where a sentence goes without the marks that stand around all of it."""
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
