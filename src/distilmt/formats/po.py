"""Messages of programs (gettext): what has no translation yet gets one."""

from __future__ import annotations

import re
from typing import Any

from distilmt.errors import UserError
from distilmt.extras import install_command
from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.tags import tagged
from distilmt.formats.units import Unit, text_of

# A line that starts so, or follows one that ends so, is no continuation of the line above.
_NEW_LINE = re.compile(r"((?<=[.:;!?>\n])\n|\n(?=\W|$))")
# Not that of a head without a line in it.
_EMPTY = re.compile(
    r'(?<!^msgid ""\n)(?<!^msgid ""\r\n)^(msgstr(?:\[\d\])?)[ \t]+""[ \t]*(?=\r?$)(?!\r?\n[ \t]*")',
    re.MULTILINE,
)


def translate_po(text: str, translate: Translate) -> str:
    """Fill the empty translations of a PO file; those that are there, fuzzy and obsolete ones stay.

    polib reads the file. It would write it anew in an order of its own, so the lines go into the text as it stands.

    Raises:
        UserError: polib is missing, or it is not a PO file.
    """
    wanted = _wanted(_parsed(text))
    places = list(_EMPTY.finditer(text))
    if len(places) != len(wanted):
        raise UserError("an entry of it is written in a way that is not known: run it through msgcat first")
    sources = list(dict.fromkeys(source for source in wanted if source))
    pieces = {source: [p for p in _NEW_LINE.split(source) if p] for source in sources}
    units: list[Unit] = [tagged(piece) for source in sources for piece in pieces[source]]
    said = iter(translate_units(units, translate))
    known = {source: "".join(text_of(next(said)) for _ in pieces[source]) for source in sources}
    made, end = [], 0
    for place, source in zip(places, wanted, strict=True):
        if source:
            made += [text[end : place.start()], _line(place[1], known[source], text)]
            end = place.end()
    return _in_utf8("".join([*made, text[end:]]))


def _in_utf8(text: str) -> str:
    """The head of a file tells its encoding; new files are said to be in ASCII."""
    if text.isascii():
        return text
    return re.sub(r'^("Content-Type: [^"\n]{0,99}charset=)[\w.-]+', r"\1UTF-8", text, count=1, flags=re.MULTILINE)


def _wanted(catalogue: Any) -> list[str | None]:
    """For every empty translation, in the order of the file, what is to be translated; None to leave it empty."""
    found: list[str | None] = []
    for entry in catalogue:
        left = entry.obsolete or "fuzzy" in entry.flags
        if entry.obsolete:
            continue
        if not entry.msgid_plural:
            found += [None if left else entry.msgid] if not entry.msgstr else []
            continue
        forms = sorted(entry.msgstr_plural)
        for form in forms:
            if not entry.msgstr_plural[form]:
                found.append(None if left else entry.msgid if form == 0 and len(forms) > 1 else entry.msgid_plural)
    return found


def _line(name: str, said: str, text: str) -> str:
    """A translation as gettext writes it, folded if the file is."""
    import polib

    folded = re.search(r'^msg(?:id|str)(?:_plural)? ""\r?\n"(?!.*\\n"\r?$)', text, re.MULTILINE)
    whole = polib.POEntry(msgid="x", msgstr=said).__unicode__(78 if folded else 10**9)
    made = name + str(whole[whole.index("\nmsgstr ") + len("\nmsgstr") :]).rstrip("\n")
    return made.replace("\n", "\r\n") if "\r\n" in text else made


def _parsed(text: str) -> Any:
    try:
        import polib
    except ImportError:
        raise UserError(f"reading .po files needs polib: {install_command('documents')}") from None
    # polib takes a text without an entry in it for the name of a file to open.
    if not re.search(r'^\s*(?:msgctxt|msgid)\s+"', text, re.MULTILINE):
        raise UserError("not a PO file: it has no line that starts with msgid")
    try:
        return polib.pofile(f"{text}\n")
    except (OSError, ValueError, IndexError, KeyError, AttributeError, UnicodeError) as error:
        raise UserError(f"not a PO file that polib can read ({' '.join(str(error).split())[:200]}): mend it") from None
