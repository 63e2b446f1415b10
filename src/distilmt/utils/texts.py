"""Rules for the characters of texts that users give, the same for lines, requests and Python's lists."""

from __future__ import annotations

from distilmt.utils.errors import UserError


def check_is_text(name: str, text: str) -> None:
    """Check that a text has no NUL character.

    Raises:
        UserError: it has: it is binary, or UTF-16 that was read as another encoding.
    """
    if "\0" in text:
        raise UserError(
            f"{name} has a NUL character, so it is not text (binary data, or UTF-16 read as another encoding): "
            "convert it to UTF-8, or remove the character"
        )


def replace_surrogates(text: str) -> str:
    """A text without lone surrogates, which are valid in JSON and in Python but not in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
