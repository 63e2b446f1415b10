"""Subtitles of a recording: SubRip (.srt) and WebVTT (.vtt).

A cue has at most two lines. A segment with more text becomes several cues, which share its time by the length of their
text. Cues follow each other: none is empty, none begins before the one before it ends.
"""

from __future__ import annotations

import html
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex

from distilmt.recordings.records import TranslatedSegment, one_line

MAX_COLUMNS, MAX_LINES = 42, 2
"""Of a cue; a character of Chinese, Japanese or Korean takes two columns."""
VTT_HEADER = "WEBVTT\n\n"
# Between these a line may be broken without a space.
_IDEOGRAPH = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_OPENING = r"[\p{Ps}\p{Pi}]{0,3}"
_PIECE = regex.compile(
    rf"{_OPENING}{_IDEOGRAPH}[\p{{M}}\p{{Pe}}\p{{Pf}}\p{{Po}}ー]*\s?|(?:(?!{_OPENING}{_IDEOGRAPH})\S)+\s?"
)
_GRAPHEME = regex.compile(r"\X")
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}]")
_VISIBLE = regex.compile(r"[^\p{Z}\p{C}\p{M}]")


@dataclass(frozen=True)
class Cue:
    """What is shown at a time."""

    start: int
    """Milliseconds from the beginning of the recording."""
    end: int
    """Milliseconds, later than `start`."""
    lines: list[str]
    """One or two, without markup."""


def cues(segments: Iterable[TranslatedSegment]) -> Iterator[Cue]:
    """The cues of segments, in order; none for a segment without text.

    Args:
        segments: in order; where one begins before the last one ends, its first cue begins later.
    """
    end = 0
    for segment in segments:
        texts = _cue_texts(segment.translation)
        if not texts:
            continue
        start = max(end, round(1000 * segment.start))
        end = max(start + len(texts), round(1000 * segment.end))  # a millisecond each at least
        yield from _timed(texts, start, end)


def srt(segments: Iterable[TranslatedSegment]) -> Iterator[str]:
    """The parts of a SubRip file, a cue each. What players take for markup is written with similar characters."""
    for number, cue in enumerate(cues(segments), 1):
        text = "\n".join(map(_without_tags, cue.lines))
        yield f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{text}\n\n"


def vtt(segments: Iterable[TranslatedSegment]) -> Iterator[str]:
    """The parts of a WebVTT file, a cue each, the first one with the file's header; none without cues."""
    for number, cue in enumerate(cues(segments)):
        text = "\n".join(html.escape(line, quote=False) for line in cue.lines)
        header = "" if number else VTT_HEADER
        yield f"{header}{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n\n"


def _timed(texts: list[list[str]], start: int, end: int) -> Iterator[Cue]:
    """Cues that share the time of a segment by the length of their text."""
    spare = end - start - len(texts)  # beyond a millisecond each
    lengths = [sum(map(columns, lines)) for lines in texts]
    done, begin = 0, start
    for number, (lines, length) in enumerate(zip(texts, lengths, strict=True), 1):
        done += length
        stop = start + number + spare * done // sum(lengths)
        yield Cue(begin, stop, lines)
        begin = stop


def _cue_texts(text: str) -> list[list[str]]:
    """The lines of every cue of a text."""
    line = one_line(_CONTROL.sub(" ", text))
    if not _VISIBLE.search(line):
        return []
    lines = _balanced(_pieces(line))
    return [lines[first : first + MAX_LINES] for first in range(0, len(lines), MAX_LINES)]


def _pieces(line: str) -> list[str]:
    """Parts of a text that fit into a line and are not broken, with the space behind them."""
    return [part for piece in _PIECE.findall(line) for part in _cut(piece)]


def _cut(piece: str) -> Iterator[str]:
    """A piece, in parts where it is wider than a line; characters stay whole."""
    part, width = "", 0
    for grapheme in _GRAPHEME.findall(piece):
        wide = columns(grapheme)
        if width + wide > MAX_COLUMNS and not grapheme.isspace():
            yield part
            part, width = "", 0
        part, width = part + grapheme, width + wide
    yield part


def _balanced(pieces: list[str]) -> list[str]:
    """As few lines as possible, and those about equally long."""
    sizes = [columns(piece) for piece in pieces]
    spaces = [piece[-1].isspace() for piece in pieces]

    def breaks(width: int) -> list[int]:
        """Where lines begin that are filled up to a width, one after the other."""
        starts, taken = [0], 0
        for number, (size, space) in enumerate(zip(sizes, spaces, strict=True)):
            if taken and taken + size - space > width:
                starts.append(number)
                taken = 0
            taken += size
        return starts

    widths = range(max(size - space for size, space in zip(sizes, spaces, strict=True)), MAX_COLUMNS + 1)
    count = len(breaks(MAX_COLUMNS))
    starts = breaks(widths[bisect_left(widths, -count, key=lambda width: -len(breaks(width)))])
    return ["".join(pieces[start:end]).rstrip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def columns(text: str) -> int:
    """How many columns a text takes: two for a wide character, none for a mark on another one."""
    return sum(_columns_of_grapheme(grapheme) for grapheme in _GRAPHEME.findall(text))


def _columns_of_grapheme(grapheme: str) -> int:
    return 2 if unicodedata.east_asian_width(grapheme[0]) in "WF" else 1


def _without_tags(line: str) -> str:
    """A line that players show as it is: SubRip has no escapes."""
    return line.replace("-->", "->").replace("<", "‹").replace("{", "(").replace("}", ")").replace("\\", "/")


def _stamp(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
