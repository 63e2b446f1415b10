"""Features of normalized text for the cleaning rules: functions of strings, without state.

The rules are those of OpusCleaner and of Mozilla's training pipeline, with thresholds left to the configuration.
"""

from __future__ import annotations

import html
import re
import unicodedata

_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]{0,20}(?:\s[^<>]{0,500})?/?>|<!--[^<>]{0,500}-->")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,10}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
# ASCII only: in scripts without spaces, text follows an address directly.
_URL = re.compile(r"(?:https?://|ftp://|www\.)[!#-&(-;=?-~]+|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE | re.ASCII)
_GROUPING = re.compile(r"(?<=\d)[.,'’ ](?=\d)")
_NUMBER = re.compile(r"\d+")
_MAX_DIGITS = 100


def has_markup(text: str) -> bool:
    """Whether a text has HTML or XML tags or character entities."""
    return ("<" in text and _TAG.search(text) is not None) or ("&" in text and _ENTITY.search(text) is not None)


def without_markup(text: str) -> str:
    """A text without tags, with entities decoded (`&amp;lt;` too)."""
    text = _TAG.sub("", text) if "<" in text else text
    for _ in range(2):  # text is often escaped twice
        text = html.unescape(text) if "&" in text and _ENTITY.search(text) else text
    return text


def letters(text: str) -> float:
    """Fraction of letters (and marks, which are vowels in some scripts) among the characters other than spaces."""
    seen = text.replace(" ", "")
    if not seen:
        return 0.0
    letter_count = sum(map(str.isalpha, seen))
    # Counting marks is slow, so it is done only if there may be any.
    return (
        letter_count if text.isascii() else letter_count + sum(unicodedata.category(c)[0] == "M" for c in seen)
    ) / len(seen)


def numbers(text: str) -> list[int]:
    """The numbers of a text, sorted: digits of any script, without separators."""
    # int() reads digits of every script, but refuses thousands of them.
    return sorted(int(digits[:_MAX_DIGITS]) for digits in _NUMBER.findall(_GROUPING.sub("", text)))


def urls(text: str) -> set[str]:
    """The web and mail addresses of a text, without the punctuation that ends a sentence."""
    if "." not in text:
        return set()
    return {url.rstrip(".,;:!?)]}").lower() for url in _URL.findall(text)}
