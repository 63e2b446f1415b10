"""Symbols and emoji in a text, and characters that a model knows only in another form."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from distilmt.data.cleaning import unspaced_count

# Signs that Unicode classifies as punctuation, but that are not part of a sentence.
_BULLETS = frozenset("•‣⁃⁌⁍†‡※⁂⁎⁑¶")
# Joiners of emoji: ZERO WIDTH JOINER, and the variation selectors.
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_KEYCAP = "\u20e3"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_RUN = re.compile("(?:s[sj]*|dj?k)+")
_PLAIN = {
    **dict.fromkeys("‘’‚‛′´`‵", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    "‹": "<",
    "›": ">",
    "⁄": "/",
    "‥": "..",
}
_FORMS = ("<wide>", "<narrow>", "<compat>", "<font>")
_ZERO_WIDTH_SPACE = re.compile("(\\w)\u200b+(\\w)")

HasToken = Callable[[str], bool]
"""Whether a model has its own token for a character."""


@dataclass(frozen=True)
class SymbolRun:
    """Consecutive symbols in a text."""

    start: int
    end: int
    text: str


class _Classes(dict[int, str]):
    """Table for `str.translate`: `s` a symbol, `j` a joiner, `d` and `k` the parts of keycaps, `o` all others."""

    def __missing__(self, code: int) -> str:
        self[code] = _class_of(chr(code))
        return self[code]


def _class_of(character: str) -> str:
    code = ord(character)
    if character in _JOINERS or code in _TAGS:
        return "j"
    if character == _KEYCAP:
        return "k"
    if character in "0123456789#*":
        return "d"
    if code < 128 or code in _FULL_WIDTH:
        return "o"
    category = unicodedata.category(character)
    symbol = category in ("So", "Sm", "Sc", "Co") or character in _BULLETS or code in _SKIN_TONES
    return "s" if symbol else "o"


_CLASSES = _Classes()


class _LetterClasses(dict[int, str]):
    """Table for `str.translate`: `l` a letter or its mark, `o` all others."""

    def __missing__(self, code: int) -> str:
        self[code] = "l" if unicodedata.category(chr(code))[0] in "LM" else "o"
        return self[code]


_LETTER_CLASSES = _LetterClasses()
_LETTERS = re.compile("l+")


def runs(text: str) -> list[SymbolRun]:
    """Spans of symbols in a text: Unicode's S* beyond ASCII, emoji with their joiners, flags and keycaps."""
    if text.isascii():
        return []
    return [SymbolRun(m.start(), m.end(), text[m.start() : m.end()]) for m in _RUN.finditer(text.translate(_CLASSES))]


def is_in_vocabulary(run: SymbolRun, has_token: HasToken) -> bool:
    """Whether a model has a token for each symbol of a run."""
    return all(has_token(c) for c in run.text if c not in _JOINERS)


def is_mathematical(run: SymbolRun) -> bool:
    """Whether a run has only currency signs and operators, which belong to the adjacent words."""
    return all(
        unicodedata.category(c) == "Sc" or (unicodedata.category(c) == "Sm" and c not in "←→↑↓↔") for c in run.text
    )


def unknown_words(text: str, has_token: HasToken) -> list[SymbolRun]:
    """Words with a letter that has no token; in scripts without spaces, only those letters."""
    if text.isascii():
        return []
    words: list[SymbolRun] = []
    for match in _LETTERS.finditer(text.translate(_LETTER_CLASSES)):
        start, word = match.start(), text[slice(*match.span())]
        if unspaced_count(word):
            words += [SymbolRun(start + i, start + i + 1, c) for i, c in enumerate(word) if not has_token(c)]
        elif not all(map(has_token, unicodedata.normalize("NFC", word))):
            words.append(SymbolRun(start, match.end(), word))
    return words


def foreign_words(text: str, has_token: HasToken) -> list[SymbolRun]:
    """Words entirely in scripts for whose letters in the text a model has no tokens; a mark belongs to its letter."""
    if text.isascii():
        return []
    covered_scripts = {_script(c) for c in set(text) if c.isalpha() and _is_letter_covered(c, has_token)}
    return [run for run in _words(text) if covered_scripts.isdisjoint(_script(c) for c in run.text if c.isalpha())]


def _words(text: str) -> Iterator[SymbolRun]:
    """Words; letters of scripts that are written without spaces are no part of a word in another script."""
    for letters in _LETTERS.finditer(text.translate(_LETTER_CLASSES)):
        start = letters.start()
        for _, group in groupby(text[slice(*letters.span())], lambda c: unspaced_count(c) > 0):
            word = "".join(group)
            if any(map(str.isalpha, word)):
                yield SymbolRun(start, start + len(word), word)
            start += len(word)


def _is_letter_covered(letter: str, has_token: HasToken) -> bool:
    """Whether a model has a token for a letter, in either case or without its marks."""
    forms = {letter, letter.lower(), unicodedata.normalize("NFKD", letter)[0]}
    return any(has_token(form) for form in forms)


def _script(letter: str) -> str:
    """The first word of a letter's Unicode name: `LATIN`, `CYRILLIC`, `CJK`."""
    return unicodedata.name(unicodedata.normalize("NFKD", letter)[0], "").partition(" ")[0]


def counts(text: str) -> Counter[str]:
    """Number of occurrences of each symbol in a text."""
    return Counter(c for run in runs(text) for c in run.text if c not in _JOINERS)


def has_letters(text: str) -> bool:
    """Whether a text has anything to translate."""
    return any(map(str.isalpha, text))


def has_vocabulary_letters(text: str, has_token: HasToken) -> bool:
    """Whether a model has a token for a letter of a text, in either case or in plain form."""
    return any(c.isalpha() and (has_token(c) or has_token(c.lower()[0])) for c in fold_characters(text, has_token))


def fold_characters(text: str, has_token: HasToken) -> str:
    """Write full-width letters, ligatures and typographic marks in plain form if the model has no tokens for them.

    A zero-width space between words becomes a space, except in scripts without spaces.
    """
    if text.isascii():
        return text
    text = _ZERO_WIDTH_SPACE.sub(_between_words, text)
    return "".join(c if c.isascii() or has_token(c) else _plain(c) for c in text)


def _between_words(match: re.Match[str]) -> str:
    return match[1] + ("" if unspaced_count(match[1] + match[2]) else " ") + match[2]


def _plain(character: str) -> str:
    form = unicodedata.decomposition(character).partition(" ")[0]
    if form in _FORMS and (character.isalnum() or ord(character) in _FULL_WIDTH):
        return unicodedata.normalize("NFKC", character)
    return _PLAIN.get(character, character)
