"""The texts of the report in all languages."""

from __future__ import annotations

from collections.abc import Mapping

from distilmt.report.chinese import CHINESE
from distilmt.report.english import ENGLISH
from distilmt.utils.errors import UserError

Words = Mapping[str, str]

_LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


def words_for(language: str) -> Words:
    """The report's texts in `en` or `zh`.

    Raises:
        UserError: another language.
    """
    if language not in _LANGUAGES:
        raise UserError(f"the report cannot be written in {language!r}: choose one of {', '.join(_LANGUAGES)}")
    return _LANGUAGES[language]


def named(system: str, words: Words) -> str:
    """Name of a system in a sentence: `the int8 student`."""
    base, _, kind = system.partition("-")
    template = words.get(f"the_{base}", words["the_other"])
    return template.format(kind=f"{kind} " if kind else "", name=system)
