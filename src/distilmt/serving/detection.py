"""Language identification with py3langid."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, TypedDict

from distilmt.serving.errors import ApiError
from distilmt.serving.language_codes import MACROLANGUAGES, base, normalize_code
from distilmt.utils.extras import install_command
from distilmt.utils.language_identification import language_identifier

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_READ = 2000  # characters of a text that are enough to identify its language
_PARTS = 10
_RESULTS = 3
_TAG = re.compile(r"<[^<>]*>")
# Measured on 20,996 sentences. If their language is served, these bounds reject 9, mostly package names. If it is not
# served, they reject 83 %, and the others get a low confidence.
_CERTAIN, _NEGLIGIBLE = 0.9, 0.05
_PREFERENCE = 2.0


class Candidate(TypedDict):
    """A language that a text may have."""

    confidence: float
    """0 to 100."""
    language: str
    """Code in LibreTranslate's form."""


def identify(text: str, served: Collection[str], sources: Collection[str]) -> list[Candidate]:
    """The most likely languages of a text, best first, with the detector's probabilities.

    Candidates are the served languages. If the text is almost certainly in another language, all languages are.

    Args:
        text: plain text; of a long text, 2,000 characters from all parts are used.
        served: codes, in LibreTranslate's form, of all source and target languages.
        sources: preferred languages: they win unless another served one is twice as likely, because a short text that
            is wrongly left untranslated is worse than one that is wrongly translated.

    Returns:
        At most three candidates; none for a text without letters.

    Raises:
        ApiError: py3langid is not installed (501).
    """
    text = sample(text)
    if not any(c.isalpha() for c in text):
        return []
    shares = _shares(text, served, sources)
    ranked = sorted(shares, key=lambda code: -shares[code])
    inside = sorted((c for c in ranked if c in served), key=lambda c: -shares[c] * (_PREFERENCE if c in sources else 1))
    outside = ranked[0] not in served and shares[ranked[0]] >= _CERTAIN
    if not inside or (outside and shares[inside[0]] < _NEGLIGIBLE):
        inside = ranked
    return [{"confidence": round(100 * shares[code], 1), "language": code} for code in inside[:_RESULTS]]


def sample(text: str) -> str:
    """A sample of a text for language identification: all of a short text, else parts from beginning to end."""
    if len(text) <= _READ:
        return text
    length = _READ // _PARTS - 1
    starts = [(len(text) - length) * number // (_PARTS - 1) for number in range(_PARTS)]
    parts = (text[start : start + length] for start in starts)
    # Truncated words look like another language, so they are removed (in languages with spaces).
    return " ".join(part.split(" ", 1)[-1].rsplit(" ", 1)[0] for part in parts)


def unidentified(served: Collection[str]) -> Candidate:
    """LibreTranslate's response for a text that could be in any language."""
    return {"confidence": 0.0, "language": "en" if "en" in served or not served else min(served)}


def text_of_markup(markup: str) -> str:
    """The approximate visible text of HTML, for language identification."""
    return html.unescape(_TAG.sub(" ", markup))


def _shares(text: str, served: Collection[str], sources: Collection[str]) -> dict[str, float]:
    """Probability by code; a language with several served codes counts for the most likely one."""
    own = {base(code) for code in served}
    shares: dict[str, float] = {}
    for detected, share in _identifier().rank(text):
        language = detected if detected in own else MACROLANGUAGES.get(detected, detected)
        code = _variant(language, text, served, sources)
        shares[code] = shares.get(code, 0.0) + float(share)
    return shares


def _variant(language: str, text: str, served: Collection[str], sources: Collection[str]) -> str:
    """The served code of a language. Of several, the script of a Chinese text decides, else a source is preferred."""
    variants = sorted(code for code in served if base(code) == language)
    code = (
        normalize_code("zh-TW" if _is_traditional(text) else "zh-CN") if language == "zh" else normalize_code(language)
    )
    if code in variants or not variants:
        return code
    return next((variant for variant in variants if variant in sources), variants[0])


def _is_traditional(text: str) -> bool:
    """Whether a Chinese text has more characters that are only in Big5 than characters that are only in GB 2312."""
    balance = 0
    for character in text:
        if "\u4e00" <= character <= "\u9fff":
            balance += _encodes(character, "big5") - _encodes(character, "gb2312")
    return balance > 0


def _encodes(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _identifier() -> LanguageIdentifier:
    try:
        return language_identifier()
    except ImportError:
        raise ApiError(501, f"Language detection is not installed: {install_command('serve')}") from None


def warm_up() -> None:
    """Load the model before the first request; does nothing if it is not installed."""
    try:
        _identifier()
    except ApiError:
        return
