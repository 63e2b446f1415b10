"""Texts taken apart into sentences, and put together again with their lines and the space around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distilmt.data.sentence_splitter import sentences
from distilmt.inference.base import joined

Frame = list[tuple[str, int, str]]
"""For every line the space before it, how many sentences it has, and what comes behind it."""


def take_apart(text: str, portions: Callable[[str], list[str]]) -> tuple[list[str], Frame]:
    """The sentences of a text, and the frame that `put_together` sets translations into.

    Args:
        text: any text; a line without a letter or digit is kept as it is.
        portions: cuts what is too long for the model.
    """
    found: list[str] = []
    frame: Frame = []
    for line in text.splitlines(keepends=True):
        core = line.strip()
        if not any(character.isalnum() for character in core):
            frame.append((line, 0, ""))
            continue
        parts = [portion for sentence in sentences(core) for portion in portions(sentence)]
        start = line.index(core)
        frame.append((line[:start], len(parts), line[start + len(core) :]))
        found += parts
    return found, frame


def put_together(frame: Frame, translations: Sequence[str]) -> str:
    """Translations of the sentences of a frame, in order, as one text."""
    text, position = "", 0
    for before, count, behind in frame:
        text += before + joined(translations[position : position + count]) + behind
        position += count
    return text
