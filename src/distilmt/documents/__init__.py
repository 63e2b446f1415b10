"""Documents in, documents out: their text is translated, and everything else stands as it stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

from distilmt.documents.document_report import DocumentReport
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.inference.base import WordAttention
from distilmt.utils.errors import UserError

Translate = Callable[[list[str]], list[str]]
SUFFIXES = (
    ".txt",
    ".srt",
    ".vtt",
    ".ass",
    ".ssa",
    ".html",
    ".htm",
    ".md",
    ".markdown",
    ".mdx",
    ".po",
    ".docx",
    ".json",
    ".arb",
)


@dataclass(frozen=True)
class TranslateWithAttention:
    """A `Translate` that also tells attention: tags whose place is not found otherwise are put by that."""

    translate: Translate
    attention: Callable[[list[str], list[str]], list[list[WordAttention]]]
    """Of texts and their translations, as `Translator.attention` has it; nothing where it is not known."""
    report: DocumentReport = field(default_factory=DocumentReport)
    """What a format adds to while it translates; `dataclasses.replace` gives each document its own."""
    keep: KeepPatterns = field(default_factory=KeepPatterns)
    """What a text must hold as it stands, besides what is known for a placeholder or code (`--keep`)."""
    languages: tuple[str, str] | None = None
    """Codes of source and target, for what a page tells about its own language; None if they are not known."""

    def __call__(self, texts: list[str]) -> list[str]:
        """A translation of each text."""
        return self.translate(texts)


def report_of(translate: Translate) -> DocumentReport:
    """The report that a format adds to; one that nobody reads if the caller wants none."""
    return translate.report if isinstance(translate, TranslateWithAttention) else DocumentReport()


def keep_of(translate: Translate) -> KeepPatterns:
    """What somebody wants kept besides placeholders."""
    return translate.keep if isinstance(translate, TranslateWithAttention) else KeepPatterns()


def languages_of(translate: Translate) -> tuple[str, str] | None:
    """Codes of the languages, where the caller gave them."""
    return translate.languages if isinstance(translate, TranslateWithAttention) else None


def translate_document(
    data: bytes, name: str, translate: Translate, json_keys: tuple[str, ...] = (), encoding: str | None = None
) -> bytes:
    """Translate a document.

    Args:
        data: the file's content, of any origin: what is broken or made to do harm is refused.
        name: the file's name; its ending, one of `SUFFIXES`, tells what it is.
        translate: sentences in, as many translations out. It is called a few times, with all there is to ask at once.
            If it is `TranslateWithAttention`, fewer sentences with tags inside are translated in parts.
        json_keys: of a JSON file, only strings below these keys are translated; all of them if there are none.
        encoding: of a document without a byte order mark; None takes what it declares itself, else UTF-8. The
            translation is in the same encoding.

    Returns:
        The file's content with its text translated.

    Raises:
        UserError: the ending is unknown, the content is not of that kind, or a package for it is missing.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{name}: cannot translate {suffix or 'a file without ending'}: known are {' '.join(SUFFIXES)}")
    try:
        if suffix == ".docx":
            from distilmt.documents import docx

            return docx.translate_docx(data, translate)
        from distilmt.documents.encoding import decode_document

        document = decode_document(data, suffix, encoding)
        return document.encode(_translate_text(document.text, suffix, translate, json_keys))
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except RecursionError:
        raise UserError(f"{name}: nested too deep: flatten it") from None


def translate_html(text: str, translate: Translate) -> str:
    """Translate a page or a piece of HTML; tags, and what stands in code, stay. Raises UserError as above."""
    from distilmt.documents import html

    return html.translate_html(text, translate)


def _translate_text(text: str, suffix: str, translate: Translate, json_keys: tuple[str, ...]) -> str:
    if suffix in (".html", ".htm"):
        return translate_html(text, translate)
    if suffix in (".md", ".markdown", ".mdx"):
        from distilmt.documents import markdown

        return markdown.translate_markdown(text, translate, is_mdx=suffix == ".mdx")
    if suffix == ".po":
        from distilmt.documents import gettext

        return gettext.translate_po(text, translate)
    if suffix in (".json", ".arb"):
        from distilmt.documents import json_strings

        return json_strings.translate_json(text, translate, json_keys)
    if suffix == ".txt":
        from distilmt.documents import plain_text

        return plain_text.translate_lines(text, translate)
    from distilmt.documents import subtitles

    if suffix in (".ass", ".ssa"):
        return subtitles.translate_ass(text, translate)
    return subtitles.translate_cues(text, translate, entities=suffix == ".vtt")
