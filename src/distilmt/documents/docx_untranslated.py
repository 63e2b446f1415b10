"""Texts of a Word document that are not translated: descriptions of pictures, ruby, choices of lists and diagrams."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from distilmt.documents.document_report import DocumentReport
from distilmt.documents.docx_package import root_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_ATTRIBUTES = {"docPr": ("descr", "title"), "listItem": ("displayText",)}
_REASONS = {"docPr": "descriptions of pictures are not translated", "listItem": "choices of lists are not translated"}
_DIAGRAMS = "word/diagrams/data"


def count_untranslated(package: zipfile.ZipFile, roots: Iterable[_Element], report: DocumentReport) -> None:
    """Count them in a report.

    Args:
        package: the document.
        roots: its parts whose paragraphs are translated.
        report: what is counted in.
    """
    for root in roots:
        for reason in _reasons(root):
            report.skip(reason)
    for info in package.infolist():
        if info.filename.startswith(_DIAGRAMS) and info.filename.endswith(".xml"):
            texts = [element.text for element in root_of(package, info).iter("{*}t")]
            if count := sum(map(_is_text, texts)):
                report.skip("diagrams are not translated", count=count)


def _reasons(root: _Element) -> Iterator[str]:
    """Why a text is left, for each in a part."""
    for name, attributes in _ATTRIBUTES.items():
        for element in root.iter(f"{{*}}{name}"):
            named = [value for key, value in element.attrib.items() if _is_named(str(key), attributes, str(value))]
            yield from [_REASONS[name]] * len(named)
    for ruby in root.iter("{*}ruby"):
        if any(_is_text(element.text) for element in ruby.iter("{*}t")):
            yield "ruby is not translated"


def _is_named(key: str, attributes: tuple[str, ...], value: str) -> bool:
    return key.rpartition("}")[2] in attributes and _is_text(value)


def _is_text(text: str | None) -> bool:
    return any(map(str.isalpha, text or ""))
