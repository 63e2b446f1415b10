"""Texts inside shortcodes, directives and the tags of templates: `caption="…"`, `:alt: …`, `{% trans "…" %}`.

A value whose name marks readable text (`caption`, `alt`, `title`) is translated; other possible texts are
counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from distilmt.documents import Translate, report_of
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import text_of
from distilmt.documents.templates import MaskedText

_NAMES = """
    alt alt-text alttext caption title subtitle heading summary description linktitle link-title link_title tooltip
"""
_READ = frozenset(_NAMES.split())
_LITERAL = re.compile(r"""(?:(?<![\w.-])([\w-]{1,40})\s{0,9}=\s{0,9})?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
_OPTION = re.compile(r":(?:alt|caption|title|subtitle|header|label):[ \t]+(\S.*)$", re.DOTALL)
# One shortcode, one directive, or one list of attributes.
_HOLDER = re.compile(r"\{\{[<%](?!/)|\{%-?|:{3,}|\{:?[ ]?[#.]\w|\{:\s?\w")
_STATEMENT = re.compile(r"\{%-?\s*(?:if|elsif|elif|unless|case|when|for|set|load|extends|block|raw|comment)\b")
# Names of pages and files, which follow these, are not text.
_POINTER = re.compile(r"\{[{%][<%-]?\s*(?:ref|relref|link|post_url|include_relative|gist|youtube|vimeo)\b")
_GETTEXT = re.compile(r"\{%-?\s*(?:trans|translate|t)\s|(?<![\w.])(?:_|gettext|ngettext|pgettext|_n|__)\(|\|\s*trans\b")
PROSE = re.compile(r"[^\W\d_]{2,}[,;:]?\s+[^\W\d_]{2,}")
_CODE = re.compile(r"[{}<>=_/\\@#$|`*\[\]]|\.\w|\w\(")
_SIGNS = re.compile(r"[{}<>%\n]|:::")
_JSX = re.compile(r">[^<>{}]*[^\W\d_]{2,}\s+[^\W\d_]{2,}[^<>{}]*</")
_TEX = re.compile(r"\\(?!begin\b)[A-Za-z]{2}")
_ARGUMENT = re.compile(r"\{[^{}\\]*[^\W\d_]{2,}[,;:]?\s+[^\W\d_]{2,}")
_UNSURE = "it is inside a shortcode or an expression, and may be a program's"
_IN_TEMPLATE = "it is inside a template's tag, such as {% trans %}: translate the .po catalog"
_LONGEST = 20_000  # a longer expression is a program


@dataclass
class _Value:
    """A text inside the original of a mask."""

    number: int
    start: int
    end: int
    text: str
    quote: str = ""


def translate_captions(numbers: Iterable[int], masks: MaskedText, translate: Translate) -> None:
    """Translate readable text inside masks, in place; other possible texts are counted in the report.

    Args:
        numbers: numbers of the masks in texts (not those in code).
        masks: masks of the whole file.
    """
    report = report_of(translate)
    captions: list[_Value] = []
    for number in sorted(set(numbers)):
        values, unsure = _values(masks.originals[number], number)
        captions += values
        if unsure:
            report.skip(_UNSURE, count=unsure)
    segments = translate_segments([[value.text] for value in captions], translate)
    for value, segment in reversed(list(zip(captions, segments, strict=True))):
        translation, original = _quoted(text_of(segment), value.quote), masks.originals[value.number]
        if set(_SIGNS.findall(translation)) - set(_SIGNS.findall(value.text)):
            report.skip("the translation would end its shortcode")
        elif text_of(segment) != value.text:
            report.translated += 1
            masks.originals[value.number] = original[: value.start] + translation + original[value.end :]


def _quoted(text: str, quote: str) -> str:
    """Make a text valid between these quotation marks: Liquid has no escape."""
    return text.replace(quote, {'"': "'", "'": "’"}[quote]) if quote else text


def _values(original: str, number: int) -> tuple[list[_Value], int]:
    """The readable texts of an original, and the number of other possible texts."""
    if option := _OPTION.fullmatch(original.rstrip()):
        return ([_Value(number, *option.span(1), option[1])] if _is_text(option[1]) else []), 0
    if len(original) > _LONGEST:
        return [], 0
    if _TEX.match(original):
        return [], len(_ARGUMENT.findall(original))
    if not _HOLDER.match(original) or max(original.count("{{"), original.count("{%")) > 1:
        return [], len(_JSX.findall(original))
    if _STATEMENT.match(original):
        return [], 0
    values, unsure = [], 0
    for match in _LITERAL.finditer(original):
        text, name = match[2][1:-1], (match[1] or "").lower()
        if name in _READ and _is_text(text):
            values.append(_Value(number, match.start(2) + 1, match.end(2) - 1, text, match[2][0]))
        elif PROSE.search(text) and not (_CODE.search(text) and name not in _READ) and not _POINTER.match(original):
            unsure += 1
    return values, unsure


def _is_text(text: str) -> bool:
    """Whether a value is only text, without markup."""
    return any(c.isalpha() for c in text) and not re.search(r"[{}<>\\`*]|\]\(|^(?:https?:|\.{0,2}/)", text)


def count_literals(originals: Sequence[str]) -> int:
    """Number of texts in the tags of templates: arguments of gettext, and strings that look like sentences."""
    return sum(sum(1 for _ in _literals(original)) for original in originals)


def _literals(original: str) -> Iterator[str]:
    if len(original) > _LONGEST or _STATEMENT.match(original):
        return
    is_message = _GETTEXT.search(original) is not None
    for match in _LITERAL.finditer(original):
        text = match[2][1:-1]
        if (is_message and any(c.isalpha() for c in text)) or (PROSE.search(text) and not _CODE.search(text)):
            yield text
            if is_message:
                return


def skip_literals(originals: Sequence[str], translate: Translate) -> None:
    """Count texts in the tags of a page's template in the report."""
    if count := count_literals(originals):
        report_of(translate).skip(_IN_TEMPLATE, count=count)
