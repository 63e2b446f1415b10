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
class Mark:
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


Unit = list["str | Mark"]


def gaps(unit: Unit) -> list[Unit]:
    """What stands before, between and behind a unit's marks (text, breaks, placeholders): one more than the marks."""
    found: list[Unit] = [[]]
    for part in unit:
        if isinstance(part, str) or part.kind in ("break", "placeholder", "fence"):
            found[-1].append(part)
        else:
            found.append([])
    return found


def text_of(unit: Unit) -> str:
    """A unit's strings and marks as one string."""
    return "".join(part if isinstance(part, str) else part.raw for part in unit)


def merged(unit: Unit) -> Unit:
    """The unit with neighboring strings as one, and without empty ones."""
    result: Unit = []
    for is_text, parts in groupby(unit, lambda part: isinstance(part, str)):
        if not is_text:
            result += parts
        elif text := text_of(list(parts)):
            result.append(text)
    return result


def with_breaks(unit: Unit) -> Unit:
    """White space that is more than a space becomes a mark, as does a space that follows another behind a tag."""
    found: Unit = []
    spaced = False
    for part in merged(unit):
        if isinstance(part, Mark):
            found.append(part)
            spaced = part.kind == "break" or (spaced and not part.is_word)
            continue
        end = 0
        if spaced and part.startswith(" "):
            end = len(part) - len(part.lstrip())
            found.append(Mark("break", part[:end]))
        spaced = part[-1:].isspace() if part else spaced
        for match in _BREAK.finditer(part, end):
            found += [part[end : match.start()], Mark("break", match[0])]
            end = match.end()
        found.append(part[end:])
    return [part for part in found if part != ""]


def _width(part: str | Mark) -> int:
    return len(part) if isinstance(part, str) else int(part.is_word or part.kind == "break")


def in_sentences(unit: Unit) -> list[tuple[bool, Unit]]:
    """A unit's sentences, and in between what is none; together they are the unit."""
    shown = {"kept": "X", "placeholder": "X", "break": "\n"}
    plain = "".join(p if isinstance(p, str) else shown.get(p.kind, "") for p in unit)
    cuts: list[int] = []
    for sentence in sentences(plain):
        begin = plain.index(sentence, cuts[-1] if cuts else 0)
        cuts += [begin, begin + len(sentence)]
    return [(number % 2 == 1, parts) for number, parts in enumerate(_cut(unit, cuts))]


def _cut(unit: Unit, cuts: Sequence[int]) -> list[Unit]:
    """A unit in pieces, cut at these characters. Marks without width stay with the text that they belong to."""
    found: list[Unit] = [[]]
    at = 0
    for part in unit:
        width, used = _width(part), 0
        while len(found) <= len(cuts):
            left = cuts[len(found) - 1] - at
            # A sentence keeps a closing tag or a note behind it; what is between two keeps only closing tags.
            stay = ("close", "point") if len(found) % 2 == 0 else ("close",)
            if left >= width - used and (left > 0 or (isinstance(part, Mark) and part.kind in stay)):
                break
            if isinstance(part, str) and left:
                found[-1].append(part[used : used + left])
            used, at = used + left, at + left
            found.append([])
        found[-1].append(part[used:] if isinstance(part, str) else part)
        at += width - used
    found += [[] for _ in range(len(cuts) + 1 - len(found))]
    return [[p for p in piece if p != ""] for piece in found]


def pairs_of(parts: Sequence[object]) -> dict[int, int]:
    """For every opening mark the closing one that belongs to it, by their numbers."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, Mark) and part.kind == "open":
            opened.append(number)
        elif isinstance(part, Mark) and part.kind == "close" and opened:
            pairs[opened.pop()] = number
    return pairs


def inside(parts: Unit) -> tuple[int, int]:
    """From where to where a sentence goes without the marks that stand around all of it."""
    start, end, pairs = 0, len(parts), pairs_of(parts)
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
