"""Spellings of language codes in data sets: `en`, `en_US`, `eng_Latn`, `zh-Hans`, `English`, in columns or files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from distilmt.utils.languages import base_language, language_name, native_name

_CODE = re.compile(r"[a-z]{2,3}([-_][A-Z][a-z]{3}|[-_](han[st]|latn|cyrl|arab))?([-_]([A-Za-z]{2}|\d{3}))?")
_AFFIX = re.compile(r"(?:translation|text|sentence|sent|segment|src|tgt|trg|source|target|lang)[._\- ]+(.+)")
_ENDING = re.compile(r"(.+?)[._\- ]+(?:text|sentence|sent|segment|translation)")
_REGION = re.compile(r"\s*\([^()]*\)$")
_SIDES = (
    ("source", "target"),
    ("src", "tgt"),
    ("src", "trg"),
    ("source_text", "target_text"),
    ("src_text", "tgt_text"),
    ("source_sentence", "target_sentence"),
    ("src_sentence", "tgt_sentence"),
)
_TRANSLATED = ("sentence", "transcript", "transcription", "text", "original", "source", "source_text", "src")
"""Names of a source column whose translations are in a column named `translation`."""


def head_columns(names: Sequence[str], source: str, target: str) -> tuple[str, str] | None:
    """As `language_columns`, for the header of a table, where `translation` is not a record of both texts."""
    if named := language_columns(names, source, target):
        return named
    plain = {name.strip().lower(): name for name in names}
    originals = [plain[name] for name in _TRANSLATED if name in plain]
    return (originals[0], plain["translation"]) if originals and "translation" in plain else None


def language_columns(names: Iterable[str], source: str, target: str) -> tuple[str, str] | None:
    """Find the columns of the two texts by name; None if no names match.

    In order: the exact codes; other spellings (`en_US`, `eng_Latn`, `text_en`, `translation.en`, `English`);
    `source` and `target` or the like.

    Args:
        names: names of all columns.
        source: language code.
        target: language code.
    """
    return _columns(tuple(names), source, target)


@lru_cache(maxsize=1024)
def _columns(names: tuple[str, ...], source: str, target: str) -> tuple[str, str] | None:
    if source in names and target in names:
        return source, target
    left, right = _column(names, source), _column(names, target)
    if left and right and left != right:
        return left, right
    plain = {name.strip().lower().replace(" ", "_"): name for name in names}
    for one, other in _SIDES:
        if one in plain and other in plain:
            return plain[one], plain[other]
    return None


def _column(names: tuple[str, ...], code: str) -> str | None:
    """The column of a language: the only one with its exact code, else the only one in its language.

    Codes in capitals (`EN`) count only if no other name matches: `ID` and `NO` are also words.
    """
    return _column_of(code, {name: _code_in(name, code) for name in names}) or _column_of(
        code, {name: _code_in(name.lower(), code) for name in names}
    )


def _column_of(code: str, codes: Mapping[str, str | None]) -> str | None:
    for exact_code in (_normalize_code(code), None):
        fits = [
            n
            for n, c in codes.items()
            if c and (_normalize_code(c) == exact_code if exact_code else base_language(c) == base_language(code))
        ]
        if len(fits) == 1:
            return fits[0]
    return None


def _code_in(name: str, code: str) -> str | None:
    """The language code in the name of a column; `code` itself for the language's English or native name."""
    stripped = name.strip().strip("\ufeff").lstrip("# ")
    if not {stripped.lower(), _REGION.sub("", stripped.lower())}.isdisjoint(_language_names(code)):
        return code
    for candidate in (stripped, *(match[1] for p in (_AFFIX, _ENDING) if (match := p.fullmatch(stripped)))):
        if _CODE.fullmatch(candidate):
            return candidate
    return None


def _language_names(code: str) -> tuple[str, ...]:
    base = base_language(code)
    return language_name(code).lower(), language_name(base).lower(), native_name(base)


def _normalize_code(code: str) -> str:
    return re.sub("[-_@]+", "-", code.strip().lower())
