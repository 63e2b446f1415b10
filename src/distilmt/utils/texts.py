"""Rules for the characters of texts that users give, the same for lines, requests and Python's lists."""

from __future__ import annotations

import re

from distilmt.utils.errors import UserError

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_is_text(name: str, text: str) -> None:
    """Check that a text has no NUL character and no lone surrogate.

    Raises:
        UserError: it has a NUL: it is binary, or UTF-16 that was read as another encoding. Or it has a surrogate: it
            was cut inside of a character, or has a byte that is not UTF-8.
    """
    if "\0" in text:
        raise UserError(
            f"{name} has a NUL character, so it is not text (binary data, or UTF-16 read as another encoding): "
            "convert it to UTF-8, or remove the character"
        )

    if not text.isascii() and (half := _SURROGATE.search(text)):
        raise UserError(
            f"{name} has a lone surrogate, U+{ord(half[0]):04X}, at character {half.start() + 1}: half a character, or "
            "a byte that is not UTF-8: remove it, or give the whole character"
        )


def replace_surrogates(text: str) -> str:
    """A text without lone surrogates, which are valid in JSON and in Python but not in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
