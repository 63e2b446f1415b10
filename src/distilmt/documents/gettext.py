"""Messages of programs (gettext): untranslated messages are translated."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from distilmt.documents import Translate, languages_of, report_of
from distilmt.documents.placeholders import PROGRAM, Grammar, count_placeholders
from distilmt.documents.program_strings import ProgramString, translate_strings
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

# Not the msgstr of an empty header.
_EMPTY = re.compile(
    r'(?<!^msgid ""\n)(?<!^msgid ""\r\n)^(msgstr(?:\[\d{1,2}\])?)[ \t]*""[ \t]*(?=\r?$)(?!\r?\n[ \t]*")',
    re.MULTILINE,
)
_FOLDED = re.compile(r'^msg(?:id|str)(?:_plural)? ""\r?\n"(?!.*\\n"\r?$)', re.MULTILINE)
_PLURALS = re.compile(r"plural=([^;\n]{1,500})")
_KEYWORD = re.compile(r'[ \t]*(?:msg(?:ctxt|id|str)\S{0,9}[ \t]*)?"')
_STRING = re.compile(r'[^"]*"(?:[^"\\]|\\.)*"\s*(?:#.*)?')
# Escapes that gettext knows and polib does not; those it knows are read over.
_ESCAPE = re.compile(r"(?P<bytes>(?:\\x[0-9A-Fa-f]{1,2}|\\[0-7]{1,3})+)|(?P<bell>\\a)|\\.")
_CONTROL = re.compile("[\x00-\x07\x0e-\x1f\x7f]")
_MANY = 1000  # numbers for testing a plural formula
# Format flags of gettext whose directives begin with a percent sign and end with a letter.
_PERCENT = frozenset(
    {"c", "objc", "python", "php", "perl", "ruby", "lua", "tcl", "awk", "elisp", "librep", "javascript"}
)

if TYPE_CHECKING:
    from polib import POFile
_PERCENT |= {"java-printf", "object-pascal", "go", "gcc-internal", "gfc-internal", "d", "modula2"}
_NUMBERED = frozenset({"qt", "qt-plural", "kde", "kde-kuit", "boost", "smalltalk", "ycp"})
_CREDITS = frozenset({"translator-credits", "translator_credits", "translators-credits"})
_TILDE = frozenset({"lisp", "scheme"})


class _GettextText(str):
    """A text with gettext's line ends. polib also splits lines at U+0085, U+2028, form feeds and similar."""

    def splitlines(self, keepends: bool = False) -> list[str]:
        """Lines that end only at LF or CRLF."""
        return re.findall(r"[^\n]*\n|[^\n]+", self) if keepends else re.split(r"\r?\n", self)


def translate_po(text: str, translate: Translate) -> str:
    """Fill the empty translations of a PO file; existing, fuzzy and obsolete ones stay unchanged.

    polib parses the file. It would write it in another order, so the lines are inserted into the original text. A
    translation without the directives of its message stays empty: programs would crash, and msgfmt rejects it.

    Raises:
        UserError: polib is missing, or the file is not a PO file.
    """
    catalogue = _parse_catalogue(text)
    strings = list(_untranslated_strings(catalogue))
    places = list(_EMPTY.finditer(text))
    if len(places) != len(strings):
        raise UserError("an entry has an unknown syntax: run the file through msgcat first")
    if count := sum(entry.msgid in _CREDITS and not entry.msgstr for entry in catalogue):
        report_of(translate).skip("it stands for the names of the translators", count=count)
    sources = list(dict.fromkeys(source for source in strings if source))
    translations = dict(zip(sources, translate_strings(sources, translate), strict=True))
    folded = _FOLDED.search(text) is not None
    parts, end = [], 0
    for place, source in zip(places, strings, strict=True):
        translation = translations[source] if source else None
        if translation:
            parts += [text[end : place.start()], _line(place[1], translation, folded, "\r\n" in text[:1000])]
            end = place.end()
    languages = languages_of(translate)
    return _in_utf8(_in_language("".join([*parts, text[end:]]), languages[1] if languages else ""))


def _in_language(text: str, target: str) -> str:
    """Set the empty language in the header of a template; an existing one stays."""
    return (
        re.sub(r'^("Language:) ?(?=\\n"\r?$)', rf"\1 {target}", text, count=1, flags=re.MULTILINE) if target else text
    )


def _in_utf8(text: str) -> str:
    """Set the encoding in the header; new files declare ASCII."""
    if text.isascii():
        return text
    return re.sub(r'^("Content-Type: [^"\n]{0,99}charset=)[\w.-]+', r"\1UTF-8", text, count=1, flags=re.MULTILINE)


def grammar_of(flags: list[str]) -> Grammar:
    """Grammar of an entry's placeholders by its format flags, such as `c-format`; a general one without flags."""
    formats = {flag.removesuffix("-format") for flag in flags if flag.endswith("-format")}
    if formats & _PERCENT:
        return Grammar(program=bool(formats & {"php", "ruby"}), printf="full")
    if formats & _NUMBERED:
        return Grammar(printf="none", qt=True)
    if formats & _TILDE:
        return Grammar(printf="none", tilde=True)
    return Grammar(program=True, printf="none", qt=False) if "no-c" in formats else PROGRAM


def _untranslated_strings(catalogue: POFile) -> Iterator[ProgramString | None]:
    """The source text of every empty translation, in the order of the file; None to leave it empty."""
    form_of = _plural_form(catalogue.metadata.get("Plural-Forms", ""))
    for entry in catalogue:
        if entry.obsolete:
            continue
        left = "fuzzy" in entry.flags or entry.msgid in _CREDITS
        grammar, place = grammar_of(entry.flags), f"line {entry.linenum}"
        if not entry.msgid_plural:
            yield from [None if left else ProgramString(entry.msgid, grammar, place)] if not entry.msgstr else []
            continue
        forms = sorted(entry.msgstr_plural)
        one, many = count_placeholders(entry.msgid, grammar), count_placeholders(entry.msgid_plural, grammar)
        may_differ = one == many or (not one - many and _is_for_one(form_of))
        for form in forms:
            single = len(forms) > 1 and form_of(1) == form and may_differ
            source = ProgramString(entry.msgid if single else entry.msgid_plural, grammar, place)
            yield from [None if left else source] if not entry.msgstr_plural[form] else []


def _plural_form(header: str) -> Callable[[int], int]:
    """The plural form of a number from the catalog's header; that of English if the header has no valid formula."""
    match = _PLURALS.search(header)
    try:
        form_of = gettext.c2py(match[1].strip()) if match else None
        return form_of if form_of and form_of(1) is not None else lambda n: int(n != 1)
    except (ValueError, ZeroDivisionError, RecursionError):
        return lambda n: int(n != 1)


def _is_for_one(form_of: Callable[[int], int]) -> bool:
    """Whether 1 has its own form, whose text may omit the number."""
    return all(form_of(n) != form_of(1) for n in range(_MANY) if n != 1)


def _line(name: str, translation: str, folded: bool, crlf: bool) -> str:
    """A translation in gettext's syntax, with wrapped lines if the file has them."""
    import polib

    whole = polib.POEntry(msgid="x", msgstr=translation).__unicode__(78 if folded else 10**9)
    line = name + str(whole[whole.index("\nmsgstr ") + len("\nmsgstr") :]).rstrip("\n")
    line = _CONTROL.sub(_octal, line)
    return line.replace("\n", "\r\n") if crlf else line


def _spaced(text: str) -> str:
    """A catalogue with a space before each string, which gettext needs not and polib does."""
    return re.sub(r'^(\s*msg(?:ctxt|id(?:_plural)?|str(?:\[\d{1,2}\])?))(?=")', r"\1 ", text, flags=re.MULTILINE)


def _decoded(match: re.Match[str]) -> str:
    """The characters that bytes such as `\\x41` or `\\101` stand for; what is no UTF-8 stays."""
    import polib

    codes = re.findall(r"\\(x?)(\w+)", match["bytes"] or "")
    try:
        text = bytes(int(digits, 16 if is_hex else 8) for is_hex, digits in codes).decode()
    except ValueError:
        return match[0]
    return str(polib.escape(text)) if codes else "\a" if match["bell"] else match[0]


def _octal(match: re.Match[str]) -> str:
    return r"\a" if match[0] == "\a" else f"\\{ord(match[0]):03o}"


def _parse_catalogue(text: str) -> POFile:
    try:
        import polib
    except ImportError:
        raise UserError(f"reading .po files needs polib: {install_command('documents')}") from None
    # polib takes a text without entries as the name of a file to open.
    if not re.search(r'^\s*(?:msgctxt|msgid)\s*"', text, re.MULTILINE):
        raise UserError("not a PO file: it has no line that starts with msgid")
    for number, line in enumerate(_GettextText(text).splitlines(), 1):
        if _KEYWORD.match(line) and not _STRING.fullmatch(line):
            raise UserError(f"line {number} has a string without its end, or signs behind it: mend it")
    try:
        return polib.pofile(_GettextText(_ESCAPE.sub(_decoded, f"{_spaced(text)}\n")))
    except (OSError, ValueError, IndexError, KeyError, AttributeError, UnicodeError) as error:
        raise UserError(f"not a PO file that polib can read ({' '.join(str(error).split())[:200]}): fix it") from None
