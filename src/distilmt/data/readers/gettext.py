"""Read sentence pairs from gettext catalogs (.po and .mo), one or a whole tree of them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from distilmt.data.pairs import Pair, match_language
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.languages import base_language

if TYPE_CHECKING:
    from polib import MOEntry, MOFile, POEntry, POFile

_CODE = re.compile(r"[a-z]{2,3}([-_@][a-z0-9]+)*", re.IGNORECASE)
_ENDINGS = (".po", ".mo")
# A catalog stores each text once: declared lengths far above the file's size would fill memory.
_MAX_EXPANSION = 16


def read_catalogue(path: Path, source: str, target: str) -> Iterator[Pair]:
    """The translated messages of a .po or .mo file, including plural forms; fuzzy and obsolete ones are left out.

    `line` is the line in a .po file, or the number of the message in a .mo file.

    Args:
        path: the file.
        source: language code, assumed to be that of the messages.
        target: language code; must match that of the file, if the file declares one.

    Raises:
        UserError: the file is damaged, or in another language.
    """
    catalogue = _open(path)
    named = str(catalogue.metadata.get("Language", "")).strip()
    if _CODE.fullmatch(named) and base_language(named) != base_language(target):
        raise UserError(f"{path} is in {named!r}, but corpus.target is {target!r}: name another file or language")
    yield from _pairs(catalogue)


def read_messages(path: Path) -> Iterator[Pair]:
    """As `read_catalogue`, in whatever language the file declares.

    Raises:
        UserError: the file is damaged.
    """
    yield from _pairs(_open(path))


def read_tree(folder: Path, source: str, target: str) -> Iterator[Pair]:
    """The translated messages of all catalogs of a language in a directory; `line` is the message's number.

    Args:
        folder: directory with files such as `it.po`, `app.it.po`, `po/app/it.po` or `locale/it/LC_MESSAGES/app.mo`.
        source: language code, assumed to be that of the messages.
        target: language code, matched leniently.

    Raises:
        UserError: there are no such files, or one is damaged.
    """
    number = 0
    for path in find_catalogues(folder, target):
        for pair in _pairs(_open(path)):
            number += 1
            yield pair._replace(line=number)
    if not number:
        raise UserError(f"{folder} has no translated messages in {target!r}: name another directory")


def find_catalogues(folder: Path, target: str) -> list[Path]:
    """A directory's catalogs in a language, in order; if a .po and a .mo have the same name, only the .po.

    Raises:
        UserError: there are none.
    """
    paths_by_code: dict[str, list[Path]] = {}
    others: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _ENDINGS and path.is_file():
            codes = _codes(path.relative_to(folder))
            others.update(codes)
            for code in codes:
                if base_language(code) == base_language(target):
                    paths_by_code.setdefault(code, []).append(path)
                    break
    paths = match_language(target, paths_by_code)
    if paths is None:
        available = ", ".join(sorted(others)[:20]) or "no catalogs at all"
        raise UserError(
            f"{folder} has no unique .po or .mo files in {target!r} (it has {available}): name another directory"
        )
    sources = {path.with_suffix("") for path in paths if path.suffix.lower() == ".po"}
    return [path for path in paths if path.suffix.lower() == ".po" or path.with_suffix("") not in sources]


def _codes(path: Path) -> list[str]:
    """Candidates for the language code in a path, best first: the name, its last part, the directories upwards."""
    names = [path.stem, *re.split(r"\.", path.stem)[-1:], *re.split(r"[.-]", path.stem, maxsplit=1)[1:]]
    return [name for name in (*names, *reversed(path.parts[:-1])) if _CODE.fullmatch(name) and name != "LC_MESSAGES"]


def _open(path: Path) -> MOFile | POFile:
    polib = _library()
    binary = path.suffix.lower() == ".mo"
    try:
        if binary:
            _check_table(path)
        catalog: MOFile | POFile = polib.mofile(str(path)) if binary else polib.pofile(str(path))
        return catalog
    except Exception as error:  # the library raises various errors on a damaged file
        if isinstance(error, UserError | MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise UserError(f"{path} is not a valid gettext catalog ({reason}): repair it or leave it out") from None


def _library() -> ModuleType:
    try:
        import polib
    except ImportError:
        raise UserError(f"gettext catalogs need polib: {install_command('gettext')}") from None
    return polib


def _check_table(path: Path) -> None:
    """Check that the texts declared by a .mo file are inside it, and not much longer than the file."""
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, originals, translations = struct.unpack_from(f"{order}III", data, 8)
    text_bytes = 0
    for table in (originals, translations):
        entries = struct.unpack_from(f"{order}{2 * count}I", data, table) if count <= len(data) else None
        if entries is None or any(map(len(data).__lt__, map(int.__add__, entries[::2], entries[1::2]))):
            raise ValueError("its tables point beyond its end")
        text_bytes += sum(entries[::2])
    if text_bytes > _MAX_EXPANSION * len(data):
        raise ValueError("its tables declare more text than it has")


def _pairs(catalogue: MOFile | POFile) -> Iterator[Pair]:
    line = 0
    for entry in catalogue:
        line = max(line + 1, getattr(entry, "linenum", None) or 0)
        translated = all(entry.msgstr_plural.values()) if entry.msgstr_plural else entry.msgstr
        if not translated or entry.obsolete or "fuzzy" in entry.flags:
            continue
        if not entry.msgid_plural or not entry.msgstr_plural:
            yield Pair(line, entry.msgid, entry.msgstr)
            continue
        pairs = _plural(entry)
        for number, (left, right) in enumerate(pairs, line):
            yield Pair(number, left, right)
        line += len(pairs) - 1


def _plural(entry: POEntry | MOEntry) -> list[tuple[str, str]]:
    """Pairs of the first form with the singular and the others with the plural; a single form is used for both."""
    forms = [entry.msgstr_plural[form] for form in sorted(entry.msgstr_plural)]
    singular = [(entry.msgid, forms[0])] if len(forms) > 1 else []
    return list(dict.fromkeys([*singular, *((entry.msgid_plural, form) for form in forms[1:] or forms)]))
