"""Messages of programs (gettext): what has no translation yet gets one."""

from __future__ import annotations

import re
from typing import Any

from distilmt.errors import UserError
from distilmt.formats import Translate
from distilmt.formats.inline import Unit, text_of, translate_units
from distilmt.formats.lines import tagged

# A line that starts so, or follows one that ends so, is no continuation of the line above.
_NEW_LINE = re.compile(r"(?<=[.:;!?>\n])\n|\n(?=[\s*•\W]|$)")


def translate_po(text: str, translate: Translate) -> str:
    """Fill empty translations of a PO file; those that are there, fuzzy or obsolete ones stay.

    Raises:
        UserError: polib is missing, or it is not a PO file.
    """
    catalogue = _parsed(text)
    wanted = [e for e in catalogue if not e.translated() and not e.obsolete and "fuzzy" not in e.flags]
    sources = list(dict.fromkeys(s for e in wanted for s in (e.msgid, e.msgid_plural) if s))
    pieces = {source: [p for p in re.split(f"({_NEW_LINE.pattern})", source) if p] for source in sources}
    units: list[Unit] = [tagged(piece) for source in sources for piece in pieces[source]]
    said = iter(translate_units(units, translate))
    known = {source: "".join(text_of(next(said)) for _ in pieces[source]) for source in sources}
    for entry in wanted:
        if entry.msgid_plural:
            forms = _forms(catalogue, entry)
            entry.msgstr_plural = {
                i: entry.msgstr_plural.get(i) or known[entry.msgid if i == 0 and forms > 1 else entry.msgid_plural]
                for i in range(forms)
            }
        else:
            entry.msgstr = known[entry.msgid]
    return str(catalogue) + "\n" * text.endswith("\n")


def _parsed(text: str) -> Any:
    try:
        import polib
    except ImportError:
        raise UserError("reading .po files needs polib: pip install 'distilmt[documents]'") from None
    # polib takes a text without an entry in it for the name of a file to open.
    if not re.search(r'^\s*(?:msgctxt|msgid)\s+"', text, re.MULTILINE):
        raise UserError("not a PO file: it has no line that starts with msgid")
    try:
        return polib.pofile(f"{text}\n", wrapwidth=_wrapwidth(text))
    except (OSError, ValueError, IndexError, KeyError, AttributeError, UnicodeError) as error:
        raise UserError(f"not a PO file that polib can read ({' '.join(str(error).split())[:200]}): mend it") from None


def _wrapwidth(text: str) -> int:
    """Where lines are folded, as gettext does; not at all if none is in the file."""
    return 78 if re.search(r'^msg(?:id|str)(?:_plural)? ""\n"(?!.*\\n"$)', text, re.MULTILINE) else 10**6


def _forms(catalogue: Any, entry: Any) -> int:
    """How many plural forms the target language has."""
    found = re.search(r"nplurals\s*=\s*([1-6])\b", catalogue.metadata.get("Plural-Forms", ""))
    return int(found[1]) if found else max(2, len(entry.msgstr_plural))
