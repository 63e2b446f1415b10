"""Which language a text is in, by py3langid."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from distilmt.serving.errors import ApiError
from distilmt.serving.language_codes import MACROLANGUAGES, base, normalize_code
from distilmt.utils.extras import install_command

_READ = 2000  # characters of a text that are enough to identify its language
_PARTS = 10
_RESULTS = 3
_TAG = re.compile(r"<[^<>]*>")
# Of 20,996 sentences in languages that a server translates these bounds refuse 9, package names mostly; of the same
# sentences they refuse 83 % where their language is not served, and the others come with a low confidence.
_CERTAIN, _NEGLIGIBLE = 0.9, 0.05
_PREFERENCE = 2.0

Candidate = dict[str, Any]
"""`{"confidence": 0 to 100, "language": code}`."""


def identify(text: str, served: Collection[str], sources: Collection[str]) -> list[Candidate]:
    """The likeliest languages of a text, best first, with the probabilities that the detector gives them.

    Served languages come into question alone, unless the text is certainly in another one: then that stands first.

    Args:
        text: as people write it; of a long one, 2,000 characters from all over it are read.
        served: codes as LibreTranslate writes them of all languages that are translated from or into.
        sources: those of them that win unless another served one is twice as likely: a short text in the target
            language by mistake left alone is worse than one translated by mistake.

    Returns:
        Three candidates at most; none for a text without letters.

    Raises:
        Refused: py3langid is not installed (501).
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
    """Enough of a text to identify its language: all of a short one, else parts from its beginning to its end."""
    if len(text) <= _READ:
        return text
    length = _READ // _PARTS - 1
    starts = [(len(text) - length) * number // (_PARTS - 1) for number in range(_PARTS)]
    parts = (text[start : start + length] for start in starts)
    # A word that is cut looks like another language's, where there are spaces between words.
    return " ".join(part.split(" ", 1)[-1].rsplit(" ", 1)[0] for part in parts)


def unidentified(served: Collection[str]) -> Candidate:
    """What LibreTranslate answers for a text that could be in any language."""
    return {"confidence": 0.0, "language": "en" if "en" in served or not served else min(served)}


def text_of_markup(markup: str) -> str:
    """What people read of HTML, about: enough to identify its language."""
    return html.unescape(_TAG.sub(" ", markup))


def _shares(text: str, served: Collection[str], sources: Collection[str]) -> dict[str, float]:
    """Probability by code: of a language with several served codes under the likeliest of them."""
    own = {base(code) for code in served}
    shares: dict[str, float] = {}
    for detected, share in _identifier().rank(text):
        language = detected if detected in own else MACROLANGUAGES.get(detected, detected)
        code = _variant(language, text, served, sources)
        shares[code] = shares.get(code, 0.0) + float(share)
    return shares


def _variant(language: str, text: str, served: Collection[str], sources: Collection[str]) -> str:
    """The served code of a language; which of several, the script of a Chinese text decides, else who is a source."""
    variants = sorted(code for code in served if base(code) == language)
    code = (
        normalize_code("zh-TW" if _is_traditional(text) else "zh-CN") if language == "zh" else normalize_code(language)
    )
    if code in variants or not variants:
        return code
    return next((variant for variant in variants if variant in sources), variants[0])


def _is_traditional(text: str) -> bool:
    """Whether a Chinese text has more characters that only Big5 has than ones that only GB 2312 has."""
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


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise ApiError(501, f"Languages are not detected here: {install_command('serve')}") from None
    # The loader was renamed in 0.3.
    load = getattr(LanguageIdentifier, "from_model_file", None) or LanguageIdentifier.from_pickled_model
    return load(MODEL_FILE, norm_probs=True)


def warm_up() -> None:
    """Load the model now rather than with the first request; nothing where it is not installed."""
    try:
        _identifier()
    except ApiError:
        return
