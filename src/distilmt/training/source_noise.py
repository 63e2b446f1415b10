"""Disturbances of a source sentence: letter case, a missing full stop, typing errors.

They change nothing in scripts that have no case, or no spaces between words, and nothing in addresses and code.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Literal

from distilmt.data.cleaning import unspaced_count
from distilmt.inference import truecasing

CaseStyle = Literal["capitals", "lower_case", "title_case"]
END_MARKS = ".。．!！?？…।॥։؟۔።"
"""Punctuation at the end of a sentence, in several scripts."""
_LONGER_WORD = re.compile(r"[^\W\d_]{4,}")
_ERRORS = (1, 1, 2)
"""Numbers of typing errors in a sentence, equally likely."""


def with_case(text: str, style: CaseStyle, generator: random.Random, language: str) -> str:
    """A sentence in another letter case; the same in scripts without case.

    Args:
        text: the sentence.
        style: `lower_case` may leave the first letter a capital; `title_case` capitalizes all words or longer ones.
        generator: chooses in these cases.
        language: code of the text's language.
    """
    if style == "capitals":
        return truecasing.to_upper_case(text, language)
    if style == "lower_case":
        lower = truecasing.to_lower_case(text, language)
        return generator.choice((lower, truecasing.lower(lower[:1], language) + lower[1:]))
    return truecasing.to_title_case(text, generator.choice(("", text)), language)


def without_full_stop(text: str) -> str:
    """A sentence without the punctuation at its end, unless there is nothing else."""
    return text.rstrip(END_MARKS + " ") or text


def with_typos(text: str, generator: random.Random) -> str:
    """A sentence with one or two typing errors, in words of at least four letters; the same if there is none.

    Addresses, code, and scripts without spaces between words have no typing errors.
    """
    for _ in range(generator.choice(_ERRORS)):
        span = _typed_word(text, generator)
        if span is None:
            break
        word = text[slice(*span)]
        text = text[: span[0]] + _ERROR_KINDS[generator.randrange(4)](word, text, generator) + text[span[1] :]
    return text


def _typed_word(text: str, generator: random.Random) -> tuple[int, int] | None:
    """The span of a word that may have a typing error; None if there is none."""
    words = [match.span() for match in _LONGER_WORD.finditer(text)]
    while words:
        start, end = words.pop(generator.randrange(len(words)))
        token = text[:start].rpartition(" ")[2] + text[start:].partition(" ")[0]
        if not truecasing.is_literal(token) and not unspaced_count(text[start:end]):
            return start, end
    return None


def _swap(word: str, text: str, generator: random.Random) -> str:
    at = generator.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(word: str, text: str, generator: random.Random) -> str:
    at = generator.randrange(len(word))
    return word[:at] + word[at + 1 :]


def _double(word: str, text: str, generator: random.Random) -> str:
    at = generator.randrange(len(word))
    return word[:at] + word[at] + word[at:]


def _replace(word: str, text: str, generator: random.Random) -> str:
    """With a letter of a word of the text, in the same case: the vocabulary has it."""
    at = generator.randrange(len(word))
    other = text[slice(*(_typed_word(text, generator) or (0, 0)))]
    letters = [letter for letter in other if letter.isupper() == word[at].isupper()]
    return word[:at] + generator.choice(letters or [word[at]]) + word[at + 1 :]


_ERROR_KINDS: tuple[Callable[[str, str, random.Random], str], ...] = (_swap, _drop, _double, _replace)
