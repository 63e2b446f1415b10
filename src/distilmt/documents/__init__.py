"""Document translation: the text is translated, and everything else is copied unchanged."""

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
    """A `Translate` with attention, which places tags that are not found otherwise."""

    translate: Translate
    attention: Callable[[list[str], list[str]], list[list[WordAttention]]]
    """Attention of texts and their translations, as from `Translator.attention`; empty where it is unknown."""
    report: DocumentReport = field(default_factory=DocumentReport)
    """Report that a format fills during translation; `dataclasses.replace` gives each document its own."""
    keep: KeepPatterns = field(default_factory=KeepPatterns)
    """Patterns of spans to copy unchanged, besides known placeholders and code (`--keep`)."""
    languages: tuple[str, str] | None = None
    """Codes of source and target, for the language attributes of a page; None if unknown."""

    def __call__(self, texts: list[str]) -> list[str]:
        """A translation of each text."""
        return self.translate(texts)


def report_of(translate: Translate) -> DocumentReport:
    """The report that a format fills; a dummy if the caller gave none."""
    return translate.report if isinstance(translate, TranslateWithAttention) else DocumentReport()


def keep_of(translate: Translate) -> KeepPatterns:
    """The user's patterns of spans to keep, besides placeholders."""
    return translate.keep if isinstance(translate, TranslateWithAttention) else KeepPatterns()


def languages_of(translate: Translate) -> tuple[str, str] | None:
    """Codes of the languages, if the caller gave them."""
    return translate.languages if isinstance(translate, TranslateWithAttention) else None


def translate_document(
    data: bytes, name: str, translate: Translate, json_keys: tuple[str, ...] = (), encoding: str | None = None
) -> bytes:
    """Translate a document.

    Args:
        data: the file's content, which may be untrusted: damaged or malicious content is rejected.
        name: the file's name; its extension, one of `SUFFIXES`, gives the format.
        translate: maps sentences to the same number of translations. It is called a few times, each time with as many
        sentences as possible. With `TranslateWithAttention` fewer sentences with inline tags are translated in parts.
        json_keys: in a JSON file, only strings below these keys are translated; empty: all strings.
        encoding: encoding of a document without a byte order mark; None: the declared one, else UTF-8. The
        translation has the same encoding.

    Returns:
        The file's content with its text translated.

    Raises:
        UserError: the extension is unknown, the content has another format, or a package for it is missing.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{name}: cannot translate {suffix or 'a file without extension'}: use {' '.join(SUFFIXES)}")
    from distilmt.documents.encoding import EncodingError, decode_document

    try:
        if suffix == ".docx":
            from distilmt.documents import docx

            return docx.translate_docx(data, translate)
        document = decode_document(data, suffix, encoding)
        return document.encode(_translate_text(document.text, suffix, translate, json_keys))
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}", error.likely) from None
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except RecursionError:
        raise UserError(f"{name}: nested too deep: flatten it") from None


def translate_html(text: str, translate: Translate) -> str:
    """Translate a page or a fragment of HTML; tags and code stay unchanged. Raises UserError as above."""
    from distilmt.documents import html

    return html.translate_html(text, translate)


def translate_text(text: str, translate: Translate) -> str:
    """Translate plain text of any characters: it is no file, so it needs no encoding. Raises UserError as above."""
    return _translate_text(text, ".txt", translate, ())


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
