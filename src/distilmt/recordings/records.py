"""Translated segments of a recording, and their record as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

_DIGITS = 3
"""Of seconds: milliseconds."""


@dataclass(frozen=True)
class TranslatedSegment:
    """Speech between two pauses, with its translation."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    """Seconds, as `start`."""
    translation: str
    """May be empty: there was no speech after all."""


class SegmentRecord(TypedDict):
    """A segment as JSON."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    translation: str


def segment_records(segments: Iterable[TranslatedSegment]) -> list[SegmentRecord]:
    """Segments as JSON, without those that have no text."""
    return [
        {"start": round(each.start, _DIGITS), "end": round(each.end, _DIGITS), "translation": text}
        for each in segments
        if (text := one_line(each.translation))
    ]


def plain_text(segments: Iterable[TranslatedSegment]) -> str:
    """The translations, a segment a line."""
    return "".join(f"{text}\n" for each in segments if (text := one_line(each.translation)))


def one_line(text: str) -> str:
    """A text without line ends, its spaces single."""
    return " ".join(text.split())
