"""Common parts of all pages: frame, tiles and a plain table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from distilmt.report.format import escape
from distilmt.report.tables import scrolling
from distilmt.utils.errors import UserError

TAGS = {"en": "en", "zh": "zh-CN"}


@dataclass(frozen=True)
class Page:
    """One page; all fields except title and headline are HTML."""

    language: str
    title: str
    headline: str
    sections: str
    provenance: str
    """Release of distilmt and date."""
    findings: str = ""
    tiles: str = ""
    style: str = ""
    """Additional CSS of this page."""


def render_page(page: Page) -> str:
    """The page as one self-contained HTML file.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    if page.language not in TAGS:
        raise UserError(f"language {page.language!r} is unknown: use en or zh")
    return Template(_file("page.html")).substitute(
        lang=TAGS[page.language],
        style=_file("style.css") + page.style,
        title=escape(page.title),
        kicker=escape(page.title.replace(": ", " · ", 1)),
        headline=escape(page.headline),
        findings=page.findings,
        tiles=page.tiles,
        sections=page.sections,
        made=page.provenance,
    )


def _file(name: str) -> str:
    return resources.files("distilmt.report").joinpath(name).read_text(encoding="utf-8")


def in_language(words: Mapping[str, Mapping[str, str]], language: str) -> Mapping[str, str]:
    """The texts of a page.

    Raises:
        UserError: there are none in that language.
    """
    if language not in words:
        raise UserError(f"language {language!r} is unknown: use {' or '.join(words)}")
    return words[language]


def page_title(record: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The title of a page about a language pair."""
    return f"{words['title']}: {record['pair']['source']} → {record['pair']['target']}"


def provenance(record: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Release of distilmt and date, as HTML."""
    return words["made"].format(version=escape(record["distilmt_version"]), date=escape(record["date"]))


def tile(name: str, value: str, change: str, compared: str) -> str:
    """A tile: name, value, improvement, and the value it is compared with."""
    changed = f'<span class="change">{change}</span>' if change else ""
    return (
        f'<div class="tile"><dt>{name}</dt><dd><b>{value}</b> {changed}'
        f'<span class="other">{escape(compared)}</span></dd></div>'
    )


def sections(parts: Sequence[tuple[str, str]]) -> str:
    """Headings with their content, as HTML; empty sections are left out."""
    return "".join(f"<section><h2>{escape(head)}</h2>{body}</section>" for head, body in parts if body)


def note(text: str) -> str:
    """A remark."""
    return f'<p class="note">{escape(text)}</p>'


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """A table with the name of each row in the first column."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", label)
