"""Text that was decoded with the wrong encoding: `caffÃ¨` for `caffè`, `Ïðèâåò` for `Привет`."""

from __future__ import annotations

import re

import ftfy

# No language of Latin script has five such letters in a row; bytes of Cyrillic or Greek read as Latin-1 have.
_HIGH_LETTERS = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]{5,}")
_OTHER_SCRIPTS = ("cp1251", "cp1253", "cp1255", "cp1256")


def repaired(text: str) -> str | None:
    """A text as it was before it was decoded with the wrong encoding; None if nothing indicates that it was.

    UTF-8 read as Latin-1 or Windows-1252 is found by ftfy, which weighs how unlikely the characters are beside each
    other. Bytes of another script read as Latin-1 are found by their runs of accented letters; the encoding is then the
    first one in which all of them are letters.
    """
    if text.isascii():
        return None
    if (fixed := ftfy.fix_encoding(text)) != text:
        return fixed
    if _HIGH_LETTERS.search(text):
        return next(filter(None, (_in_other_script(text, encoding) for encoding in _OTHER_SCRIPTS)), None)
    return None


def _in_other_script(text: str, encoding: str) -> str | None:
    try:
        decoded = text.encode("cp1252").decode(encoding)
    except UnicodeError:
        return None
    runs = [decoded[match.start() : match.end()] for match in _HIGH_LETTERS.finditer(text)]
    return decoded if all(run.isalpha() for run in runs) else None
