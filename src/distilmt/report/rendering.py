"""Renders the templates of reports; each page is one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from distilmt.report.format import printable
from distilmt.report.languages import Translation, translation


@dataclass(frozen=True)
class Tile:
    """A tile: name, value, improvement (or an empty text), and the value it is compared with."""

    name: str
    value: str
    change: str
    compared: str


@dataclass(frozen=True)
class Page:
    """What all pages have; every text is plain, not HTML."""

    title: str
    headline: str
    version: str
    """Release of distilmt."""
    date: str
    findings: Sequence[str] = ()
    tiles: Sequence[Tile] = ()


def render_template(name: str, language: str, page: Page, view: object) -> str:
    """A page of the template `name.html.j2`.

    Args:
        name: of the template.
        language: a code of `languages()`.
        page: title, headline, findings and tiles.
        view: the record that this template shows.

    Raises:
        UserError: reports cannot be written in that language.
    """
    template = environment(language).get_template(f"{name}.html.j2")
    return printable(template.render(page=page, view=view))


@cache
def environment(language: str) -> Environment:
    """Jinja's environment with the messages of a language; everything that a template shows is escaped."""
    messages = translation(language)
    environment_ = Environment(
        loader=PackageLoader("distilmt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment_.policies["ext.i18n.trimmed"] = True
    environment_.globals["language_tag"] = messages.tag
    install_messages(environment_, messages)
    return environment_


def install_messages(environment_: Environment, messages: Translation) -> None:
    """Make templates translate; messages are escaped here, since Jinja takes them for HTML."""
    catalog = messages.catalog

    def gettext(message: str) -> Markup:
        return escape(catalog.gettext(message))

    def ngettext(singular: str, plural: str, number: int) -> Markup:
        return escape(catalog.ngettext(singular, plural, number))

    def pgettext(context: str, message: str) -> Markup:
        return escape(catalog.pgettext(context, message))

    install = environment_.install_gettext_callables  # type: ignore[attr-defined]  # the extension adds it
    install(gettext, ngettext, newstyle=True, pgettext=pgettext)
