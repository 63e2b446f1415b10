"""Sentence pairs from a program's message and its translation: without keyboard marks, contexts, tables and markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from distilmt.data.cleaning import normalize
from distilmt.data.cleaning_rules import has_markup
from distilmt.data.sentence_splitter import sentences

_PARAGRAPH = re.compile(r"\n\s*\n")
# Columns of options, drawings: their lines are no sentences.
_TABLE = re.compile(r"\S {3,}\S|\t|^\s+-", re.MULTILINE)
# In languages without Latin letters the key follows the text: 文件(_F).
_KEY_AT_END = re.compile(r"\s*\([_&][A-Za-z0-9]\)")
_WORD_WITH_MARK = {mark: re.compile(rf"\w*{mark}\w+") for mark in "_&"}
_MAX_CONTEXT = 40
# Filled in with names instead of translated.
_NAMES = re.compile(r"translator[-_ ]credits|your (names|emails)|(name|email) of translators", re.IGNORECASE)


def message_pairs(message: str, translation: str) -> Iterator[tuple[str, str]]:
    """Sentences of a message with those of its translation; whole paragraphs if their numbers of sentences differ.

    Placeholders stay. Nothing is left of markup, of tables such as lists of options, and of texts whose paragraphs
    do not correspond.

    Args:
        message: the message, as in a catalog.
        translation: its translation.
    """
    if _NAMES.fullmatch(message) or has_markup(message) or has_markup(translation):
        return
    message, translation = _without_context(message, translation), _without_context(translation, message)
    message, translation = _without_keys(message, translation), _without_keys(translation, message)
    left, right = (_PARAGRAPH.split(text.strip()) for text in (message, translation))
    if len(left) == len(right):
        for source, target in zip(left, right, strict=True):
            if not (_TABLE.search(source) or _TABLE.search(target)):
                yield from _sentence_pairs(normalize(source), normalize(target))


def _sentence_pairs(source: str, target: str) -> Iterator[tuple[str, str]]:
    left, right = sentences(source), sentences(target)
    yield from zip(left, right, strict=True) if len(left) == len(right) else [(source, target)]


def _without_context(text: str, other: str) -> str:
    """A text without a context written before it (`menu|Open`, `female^Archer`), which translations leave out."""
    for mark in "|^":
        context, separator, message = text.partition(mark)
        if separator and mark not in other and len(context) <= _MAX_CONTEXT and message.strip():
            text = message
    return text


def _without_keys(text: str, other: str) -> str:
    """A text without the mark of its key (`_Open`, `E&xit`); identifiers such as `file_name` stay."""
    text = _KEY_AT_END.sub("", text)
    for mark, pattern in _WORD_WITH_MARK.items():
        word = pattern.search(text)
        if word is None or text.count(mark) > 1 + text.count(mark * 2):
            continue
        if word[0][0] == mark or word[0] not in other:
            text = text[: word.start()] + word[0].replace(mark, "", 1) + text[word.end() :]
    return (text[1:] if text[:1] == other[:1] == "^" else text).replace("&&", "&")
