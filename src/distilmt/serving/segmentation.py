"""Split texts into sentences, and join translations with the original lines and white space."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distilmt.data.sentence_splitter import sentences
from distilmt.inference.base import join_translations

Layout = list[tuple[str, int, str]]
"""For every line: the white space before it, its number of sentences, and the text after them."""


def split_sentences(text: str, portions: Callable[[str], list[str]]) -> tuple[list[str], Layout]:
    """The sentences of a text, and the layout for `join_sentences`.

    Args:
        text: any text; a line without a letter or digit is not translated.
        portions: splits a sentence that is too long for the model.
    """
    sentence_list: list[str] = []
    layout: Layout = []
    for line in text.splitlines(keepends=True):
        core = line.strip()
        if not any(character.isalnum() for character in core):
            layout.append((line, 0, ""))
            continue
        parts = [portion for sentence in sentences(core) for portion in portions(sentence)]
        start = line.index(core)
        layout.append((line[:start], len(parts), line[start + len(core) :]))
        sentence_list += parts
    return sentence_list, layout


def join_sentences(layout: Layout, translations: Sequence[str]) -> str:
    """Join the translations of a layout's sentences, in order, to one text."""
    text, position = "", 0
    for before, count, behind in layout:
        text += before + join_translations(translations[position : position + count]) + behind
        position += count
    return text
