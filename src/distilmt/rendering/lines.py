"""Text as one line of characters that a font can have glyphs for."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""They have no glyph of their own, but shape the letters beside them."""


def line_of(text: str) -> str:
    """A text as one line: NFC, single spaces, without characters that only steer layout."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(c for c in composed if c.isspace() or _is_visible(c)).split())


def required_glyphs(line: str) -> frozenset[int]:
    """Code points of a line that its font must have."""
    return frozenset(map(ord, line)) - {ord(" ")}


def _is_visible(character: str) -> bool:
    if character in _JOINERS:
        return True
    is_selector = "\ufe00" <= character <= "\ufe0f"
    return not is_selector and unicodedata.category(character) not in ("Cc", "Cf", "Cs")
