"""Readable attributes of HTML, and attributes with the language of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from distilmt.documents.html_tokenizer import HtmlToken
from distilmt.utils.languages import base_language, is_right_to_left, territory_of

_READ_NAMES = """
    alt title placeholder label aria-label aria-description aria-placeholder aria-roledescription aria-valuetext
"""
_READ = frozenset(_READ_NAMES.split())
_DESCRIPTIONS = re.compile(r"(?:[a-z]{2,9}[:.])?(?:description|title)|(?:og|twitter):image:alt", re.IGNORECASE)
_BUTTONS = frozenset(("submit", "button", "reset"))
# Class names and elements of icon fonts with ligatures: `<i class="material-icons">delete</i>`.
_ICON_CLASS = re.compile(
    r"(?:material-(?:icons|symbols)|glyphicon|fa[srlbdt]?|bi|mdi|ti|ion|ph|ri|la[srb]?|uil|bx[sl]?|oi|octicon|lnr|icofont|iconfont"
    r"|codicon|feather|fluent|symbols?)(?:-.*)?|(?:.*[-_])?icons?(?:[-_].*)?",
    re.IGNORECASE,
)
_ICON_ELEMENT = re.compile(r"(?:[\w]+-)*icons?(?:-[\w]+)*|mat-icon", re.IGNORECASE)
_LIGATURE = re.compile(r"\s*(?:[a-z0-9]+(?:[_-][a-z0-9]+)*|[\ue000-\uf8ff])?\s*")
# Facebook's codes for the languages of two regions.
_LOCALES = {"ar": "AR", "pt": "PT"}


def attribute_values(token: HtmlToken) -> dict[str, str]:
    """The attributes of a tag; of duplicates the first counts."""
    result: dict[str, str] = {}
    for name, match in token.attributes:
        result.setdefault(name, html.unescape(unquoted(match[2] or "")))
    return result


def unquoted(value: str) -> str:
    """A raw value, without its quotes."""
    return value[1:-1] if value[:1] in ("'", '"') else value


def is_untranslated(token: HtmlToken) -> bool:
    """Whether a page marks an element as not translatable."""
    if "translate" not in token.raw.lower():
        return False
    attributes = attribute_values(token)
    return attributes.get("translate", "").lower() == "no" or "notranslate" in attributes.get("class", "").split()


def is_icon(token: HtmlToken, text: str) -> bool:
    """Whether an element with this text is drawn as an icon by a font."""
    if not _LIGATURE.fullmatch(text):
        return False
    attributes = attribute_values(token)
    classes = (attributes.get("class") or attributes.get("classname", "")).split()
    return bool(_ICON_ELEMENT.fullmatch(token.name)) or any(_ICON_CLASS.fullmatch(name) for name in classes)


def readable_attributes(token: HtmlToken) -> Iterator[re.Match[str]]:
    """The readable attributes of a tag."""
    if "=" not in token.raw:
        return
    attributes = list(token.attributes)
    read = set(_READ)
    if token.name in ("meta", "input"):
        named = attribute_values(token)
        if any(_DESCRIPTIONS.fullmatch(named.get(key, "")) for key in ("name", "property", "itemprop")):
            read.add("content")
        if token.name == "input" and named.get("type", "").lower() in _BUTTONS and "name" not in named:
            read.add("value")
    yield from (match for name, match in attributes if name in read and match[2])


def is_sent(piece: HtmlToken) -> bool:
    """Whether a tag is a button whose caption is sent by the form: a program may compare it."""
    if piece.name != "input" or "=" not in piece.raw:
        return False
    named = attribute_values(piece)
    is_button = named.get("type", "").lower() in _BUTTONS and "name" in named
    return is_button and any(c.isalpha() for c in named.get("value", ""))


def replace_values(token: HtmlToken, changes: list[tuple[re.Match[str], str]]) -> str:
    """A tag with new values, in order; unquoted values get quotes."""
    parts, end = [], 0
    for match, value in changes:
        quote = match[2][0] if match[2][0] in "\"'" else '"'
        escaped = html.escape(value, quote=False).replace(quote, "&quot;" if quote == '"' else "&#39;")
        parts += [token.raw[end : match.start(2)], quote, escaped, quote]
        end = match.end(2)
    return "".join([*parts, token.raw[end:]])


def localize_tag(token: HtmlToken, source: str, target: str) -> str:
    """A tag with the target language instead of the source: `lang`, `og:locale`, and `dir` of the page."""
    changes: list[tuple[re.Match[str], str]] = []
    attributes = list(token.attributes)
    named = attribute_values(token)
    is_locale = token.name == "meta" and named.get("property", "").lower() == "og:locale"
    is_language = token.name == "meta" and named.get("http-equiv", "").lower() == "content-language"
    direction = "rtl" if is_right_to_left(target) else "ltr"
    for name, match in attributes:
        value = unquoted(match[2] or "")
        if name == "dir" and token.name == "html" and value.lower() in ("ltr", "rtl") and value.lower() != direction:
            changes.append((match, direction))
        elif base_language(value) != base_language(source):
            continue
        elif name in ("lang", "xml:lang") or (is_language and name == "content"):
            changes.append((match, target))
        elif is_locale and name == "content":
            changes.append((match, _locale(target)))
    raw = replace_values(token, changes)
    if token.name == "html" and direction == "rtl" and "dir" not in named:
        raw = f'{raw[: len("<html")]} dir="rtl"{raw[len("<html") :]}'
    return raw


def _locale(code: str) -> str:
    base, _, region = code.replace("-", "_").partition("_")
    region = region or _LOCALES.get(base) or (territory_of(base) if len(base) == 2 else "")
    return f"{base}_{region}" if region else base
