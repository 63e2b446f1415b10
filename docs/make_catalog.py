"""Collect the messages of reports into their gettext catalogs and compile these: python docs/make_catalog.py

With a language, such as `python docs/make_catalog.py de`, it first makes a catalog for that language.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polib
from jinja2.ext import extract_from_ast

from distilmt.report.languages import DOMAIN
from distilmt.report.rendering import environment

REPORT = Path(__file__).parents[1] / "src" / "distilmt" / "report"
LOCALES = REPORT / "locale"


@dataclass(frozen=True)
class Message:
    """A message: its English, the English plural or an empty text, and the context of an ambiguous one or None."""

    text: str
    plural: str = ""
    context: str | None = None


def messages() -> dict[Message, list[str]]:
    """All messages in templates and code, with the files that they are in."""
    files: dict[Message, list[str]] = {}
    for path in _sources():
        for message in _in_file(path):
            names = files.setdefault(message, [])
            if path.name not in names:
                names.append(path.name)
    return files


def _sources() -> list[Path]:
    return [*sorted((REPORT / "templates").glob("*.j2")), *sorted(REPORT.glob("*.py"))]


def _in_file(path: Path) -> Iterator[Message]:
    text = path.read_text(encoding="utf-8")
    return messages_in_code(ast.parse(text)) if path.suffix == ".py" else messages_in_template(text)


def messages_in_code(tree: ast.Module) -> Iterator[Message]:
    """Calls of `_`, `_.ngettext` and `_.pgettext`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        match node.func:
            case ast.Name(id="_"):
                yield Message(*texts)
            case ast.Attribute(value=ast.Name(id="_"), attr="ngettext"):
                yield Message(*texts)
            case ast.Attribute(value=ast.Name(id="_"), attr="pgettext"):
                yield Message(texts[1], context=texts[0])


def messages_in_template(text: str) -> Iterator[Message]:
    """The messages of a template, in their order."""
    for _line, function, parts in extract_from_ast(environment("en").parse(text)):
        texts = [parts] if isinstance(parts, str) else [part for part in parts if part is not None]
        yield Message(texts[1], context=texts[0]) if function == "pgettext" else Message(*texts)


def update(catalog: polib.POFile) -> polib.POFile:
    """The catalog with exactly the messages of today, in their order, and the translations that it has of them."""
    by_message = {(entry.msgctxt, entry.msgid): entry for entry in catalog}
    result = polib.POFile(wrapwidth=110)
    result.metadata = catalog.metadata
    for message, names in messages().items():
        entry = by_message.get((message.context, message.text)) or _new_entry(message, catalog)
        entry.occurrences = [(name, "") for name in names]
        result.append(entry)
    return result


def _new_entry(message: Message, catalog: polib.POFile) -> polib.POEntry:
    """An entry without a translation."""
    entry = polib.POEntry(msgid=message.text, msgctxt=message.context)
    if "%(" in message.text or "%%" in message.text:
        entry.flags = ["python-format"]
    if message.plural:
        entry.msgid_plural = message.plural
        entry.msgstr_plural = {index: "" for index in range(_plural_forms(catalog))}
    return entry


def _plural_forms(catalog: polib.POFile) -> int:
    forms = str(catalog.metadata["Plural-Forms"])
    return int(forms.split("nplurals=")[1].split(";")[0])


def new_catalog(language: str) -> polib.POFile:
    """A catalog without messages; the plural rule must be set by its translator."""
    catalog = polib.POFile()
    catalog.metadata = {
        "Project-Id-Version": DOMAIN,
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=2; plural=(n != 1);",
    }
    return catalog


def main() -> None:
    """Update and compile every catalog."""
    for language in sys.argv[1:]:
        folder = LOCALES / language / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / f"{DOMAIN}.po").exists():
            new_catalog(language).save(str(folder / f"{DOMAIN}.po"))
    for path in sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        catalog = update(polib.pofile(str(path)))
        catalog.save(str(path))
        catalog.save_as_mofile(str(path.with_suffix(".mo")))
        missing = len(catalog.untranslated_entries())
        print(f"{path.parent.parent.name}: {len(catalog)} messages, {missing} without translation")


if __name__ == "__main__":
    main()
