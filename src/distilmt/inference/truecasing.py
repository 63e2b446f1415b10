"""Letter case: sentences in capitals or title case are translated in ordinary case; the case is then restored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

Style = Literal["capitals", "title", ""]

# Placeholders, addresses, options and paths: their letter case has a meaning.
_LITERAL = re.compile(r"[%$@\\{}<>=_/]|^--?\w|\w\.\w+[./]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ACRONYM = 5  # maximum letters of a single word that may be an acronym
_MOST_LOWER = 0.1  # maximum fraction of lower-case letters in a text in capitals ("McDONALD")
_TURKIC = ("tr", "az")
# Unicode has capitals of Georgian letters, but ordinary text and most fonts do not: the script counts as caseless.
_GEORGIAN = re.compile("([\u10d0-\u10ff]+)")


def style_of(text: str) -> Style:
    """Case style of a sentence. A single short word may be an acronym; scripts without case have no style."""
    words = [word for token in text.split() if not _LITERAL.search(token) for word in _WORD.findall(token)]
    letters = "".join(words)
    upper, lower = sum(map(str.isupper, letters)), sum(map(str.islower, letters))
    if upper > 1 and lower <= _MOST_LOWER * (upper + lower):
        longer = [word for word in words if len(word) > 1]
        return "capitals" if len(longer) > 1 or len(longer[0] if longer else "") > _ACRONYM else ""
    long = [word for word in words if len(word) > 3]
    if len(words) > 2 and len(long) > 1 and all(word[:1].isupper() and word[1:].islower() for word in long):
        return "title"
    return ""


def to_lower_case(text: str, language: str) -> str:
    """A sentence in lower case except its first letter; all but words stays unchanged."""
    text = _each_word(text, lambda word: lower(word, language))
    first = next((i for i, c in enumerate(text) if c.isalpha()), len(text))
    return text[:first] + upper(text[first : first + 1], language) + text[first + 1 :]


def to_upper_case(text: str, language: str) -> str:
    """A text in capitals; all but words stays unchanged."""
    return _each_word(text, lambda word: upper(word, language))


def to_title_case(text: str, source: str, language: str) -> str:
    """A text with capitalized words; short words only if the source capitalizes them."""
    every = all(word[:1].isupper() for word in _WORD.findall(source))
    first = True

    def initial(word: str) -> str:
        nonlocal first
        raise_it, first = first or every or len(word) > 3, False
        return upper(word[:1], language) + word[1:] if raise_it else word

    return _each_word(text, lambda token: _WORD.sub(lambda match: initial(match[0]), token))


def is_literal(token: str) -> bool:
    """Whether a string without spaces is no word but an address, placeholder, option or path."""
    return _LITERAL.search(token) is not None


def is_copy(source: str, translation: str) -> bool:
    """Whether an output copies most words of its source, beyond what lower-case words alone explain."""
    words = {word for word in _WORD.findall(source) if len(word) > 1}
    return 2 * len(words & set(_WORD.findall(translation))) > len(words) > 0


def _each_word(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if not part.strip() or _LITERAL.search(part) else change(part) for part in _tokens(text))


def _tokens(text: str) -> list[str]:
    return re.split(r"(\s+)", text)


def lower(text: str, language: str = "") -> str:
    """A text in lower case, words and all else."""
    if language.startswith(_TURKIC):
        text = text.replace("I", "ı")
    return text.replace("İ", "i").lower()


def upper(text: str, language: str = "") -> str:
    """A text in capitals, words and all else; letters of scripts without case stay as they are."""
    if language.startswith(_TURKIC):
        text = text.replace("i", "İ")
    if language.startswith("el"):  # Greek capitals have no accents except the diaeresis.
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("\u0301", ""))
    if text.isascii() or not _GEORGIAN.search(text):
        return text.upper()
    return "".join(part if _GEORGIAN.fullmatch(part) else part.upper() for part in _GEORGIAN.split(text))
