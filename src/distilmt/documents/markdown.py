"""Markdown (CommonMark with tables, footnotes, definition lists, boxes): paragraphs, headings, lists and tables.

markdown-it-py finds the texts and then checks that the translation has the same structure. Otherwise the translation
is escaped; if that does not help, the source text stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from distilmt.documents import Translate, report_of
from distilmt.documents.captions import PROSE, translate_captions
from distilmt.documents.html import translate_attributes, translate_fragment
from distilmt.documents.html_tokenizer import HtmlToken, tokenize_html
from distilmt.documents.inline import translate_segments
from distilmt.documents.markdown_blocks import head_end, mask_blocks
from distilmt.documents.markdown_inline import InlineText, read_inline, render_inline
from distilmt.documents.markdown_structure import MarkdownStructure
from distilmt.documents.markdown_titles import titles_of_references, translate_titles, translated_titles
from distilmt.documents.page_heads import skip_head
from distilmt.documents.segments import Segment, text_of
from distilmt.documents.templates import MaskedText

if TYPE_CHECKING:
    from markdown_it.token import Token

# A longer paragraph is split: markdown-it's time can grow with the square of the length.
_LONGEST = 5000
_TRIED = 2_000_000  # maximum characters to parse in the search for texts that would change the structure


@dataclass
class _MarkdownText:
    """A text of the file, with its position and syntax."""

    start: int
    end: int
    raw: str
    kind: str
    """`text`, `cell`, `quoted` (the title of a box), `title` (of a reference) or `html`."""


def translate_markdown(text: str, translate: Translate, is_mdx: bool = False) -> str:
    """Translate a Markdown file.

    Args:
        text: the file; its front matter (YAML, TOML or JSON), code, HTML tags, link targets, shortcodes and similar
        stay unchanged.
        translate: as in `translate_document`.
        is_mdx: the file is MDX: expressions in braces, imports and exports are code.

    Raises:
        UserError: markdown-it-py is missing.
    """
    structure = MarkdownStructure()
    head = head_end(text)
    masks = mask_blocks(text[head:], is_mdx)
    body = masks.text
    texts = _with_titles(structure, body, list(_texts(structure, body)))
    inlines = {
        i: read_inline(t.raw, structure.references, masks)
        for i, t in enumerate(texts)
        if t.kind not in ("html", "title")
    }
    skip_head(text[:head], translate)
    _skip_pages(list(inlines.values()), translate)
    _translate_tags(list(inlines.values()), masks, translate)
    translate_titles(list(inlines.values()), masks, translate)
    translate_captions(_shown_masks(texts, list(inlines.values()), masks), masks, translate)
    titles = iter(translated_titles([t.raw for t in texts if t.kind == "title"], masks, translate))
    segments = dict(
        zip(inlines, translate_segments([inline.segment for inline in inlines.values()], translate), strict=True)
    )
    translations: list[str] = []
    for number, source in enumerate(texts):
        if source.kind == "html":
            translations.append(translate_fragment(masks, source.raw, translate))
        elif source.kind == "title":
            translations.append(next(titles))
        else:
            translations.append(_render(structure, source, inlines[number], segments[number], translate))
    return text[:head] + masks.restored(_preserve_outline(structure, body, texts, translations, translate))


def _lines(body: str) -> tuple[list[str], list[int]]:
    """Lines with their ends, and the start of each."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", body)
    return lines, [0, *accumulate(map(len, lines))]


def _with_titles(structure: MarkdownStructure, body: str, texts: list[_MarkdownText]) -> list[_MarkdownText]:
    """The texts of a file, including the titles of its references, in order."""
    spans = titles_of_references(structure.definitions, *_lines(body))
    result: list[_MarkdownText] = []
    for text in sorted([*texts, *(_MarkdownText(a, b, body[a:b], "title") for a, b in spans)], key=lambda t: t.start):
        if not result or text.start >= result[-1].end:
            result.append(text)
    return result


def _shown_masks(texts: Sequence[_MarkdownText], inlines: Sequence[InlineText], masks: MaskedText) -> Iterator[int]:
    """Numbers of the masks in texts, without those in code."""
    for text in texts:
        if text.kind == "html":
            yield from masks.numbers(text.raw)
    for inline in inlines:
        for mark in inline.marks:
            if masks.has_masks(mark.raw) and mark.kind in ("kept", "point") and not mark.raw.startswith("`"):
                yield from masks.numbers(mark.raw)


def _skip_pages(inlines: Sequence[InlineText], translate: Translate) -> None:
    """Count the links whose text is the name of a page (`[[Page name]]`)."""
    raws = [mark.raw for inline in inlines for mark in inline.marks if mark.raw.startswith("[[")]
    if count := sum(PROSE.search(raw) is not None for raw in raws if raw.endswith("]]")):
        report_of(translate).skip("it is the name of a linked page", count=count)


def _texts(structure: MarkdownStructure, body: str) -> Iterator[_MarkdownText]:
    """Positions of text: from the first to the last line of every paragraph, heading and cell."""
    lines, starts = _lines(body)
    last, inside = 0, ""
    for token in structure.blocks(body):
        if token.type in ("table_open", "admonition_title_open"):
            inside = token.type
        elif token.type in ("table_close", "admonition_title_close"):
            inside = ""
        kind = {"table_open": "cell", "admonition_title_open": "quoted"}.get(inside, "text")
        span = None
        if token.type == "inline" and token.map and token.content.strip():
            if kind == "text":
                span = _span(token, lines, starts)
            else:
                content = token.content if kind == "cell" else f'"{token.content}"'
                span = _in_line(content, lines[token.map[0]], starts[token.map[0]], last)
                span = (span[0] + 1, span[1] - 1) if span and kind == "quoted" else span
        elif token.type == "html_block" and token.map:
            kind = "html"
            span = starts[token.map[0]], starts[min(token.map[1], len(lines))]
        if span and span[0] >= last:
            last = span[1]
            yield from _cut(_MarkdownText(*span, body[span[0] : span[1]], kind))


def _in_line(content: str, line: str, start: int, last: int) -> tuple[int, int] | None:
    """Find a cell after the previous one; bars in it are escaped."""
    for written_as in (content, content.replace("|", "\\|")):
        if (at := line.find(written_as, max(0, last - start))) >= 0:
            return start + at, start + at + len(written_as)
    return None


def _span(token: Token, lines: list[str], starts: list[int]) -> tuple[int, int] | None:
    contents = token.content.split("\n")
    if token.map is None:
        return None
    top, bottom = token.map[0], token.map[0] + len(contents) - 1
    if bottom >= len(lines):
        return None
    at, closed = lines[top].rfind(contents[0]), lines[bottom].rfind(contents[-1])
    if min(at, closed) < 0:
        return None
    return starts[top] + at, starts[bottom] + closed + len(contents[-1])


def _cut(text: _MarkdownText) -> Iterator[_MarkdownText]:
    """Split a text at line ends, else at spaces, into parts that markdown-it can parse fast."""
    if text.kind == "html" or len(text.raw) <= _LONGEST:
        yield text
        return
    at = 0
    while at < len(text.raw):
        end = min(len(text.raw), at + _LONGEST)
        if end < len(text.raw):
            middle = at + _LONGEST // 2
            cuts = [text.raw.rfind(sign, middle, end) for sign in ("\n", ". ", " ")]
            end = next((cut + 1 for cut in cuts if cut >= 0), end)
        raw = text.raw[at:end]
        core = raw.strip(" \t\r\n>")
        begin = text.start + at + (raw.find(core) if core else 0)
        yield _MarkdownText(begin, begin + len(core), core, text.kind)
        at = end


def _translate_tags(inlines: Sequence[InlineText], masks: MaskedText, translate: Translate) -> None:
    """Translate the readable attributes of tags in texts."""
    tags: list[tuple[InlineText, int, HtmlToken]] = []
    for inline in inlines:
        for number, tag in enumerate(inline.marks):
            if tag.raw.startswith("<") and "=" in tag.raw and tag.kind in ("open", "point"):
                parts = tokenize_html(tag.raw)
                if len(parts) == 1 and parts[0].kind in ("start", "void"):
                    tags.append((inline, number, parts[0]))
    translate_attributes([token for _, _, token in tags], masks, translate)
    for inline, number, token in tags:
        inline.tags[number] = token.raw


def _render(
    structure: MarkdownStructure, text: _MarkdownText, source: InlineText, segment: Segment, translate: Translate
) -> str:
    """A translation as Markdown; escaped if its markup would differ from the source, else the source text."""
    output = render_inline(source, segment, False, text.kind)
    if output == text.raw:
        return output
    report = report_of(translate)
    source_markup = structure.inline(text.raw)
    for is_escaped in (False, True):
        output = render_inline(source, segment, is_escaped, text.kind)
        if structure.inline(output) == source_markup:
            report.translated += text_of(segment) != text_of(source.segment)
            return output
    report.skip("the translation would be parsed as other markup")
    return text.raw


def _preserve_outline(
    structure: MarkdownStructure,
    body: str,
    texts: Sequence[_MarkdownText],
    translations: Sequence[str],
    translate: Translate,
) -> str:
    """The file with all translations except those that would change its structure."""
    chosen = [text.raw for text in texts]
    if chosen == list(translations):
        return body
    outline = structure.outline(body)
    tries = max(8, min(64, _TRIED // max(1, len(body))))
    spans = [(0, len(texts))]
    while spans:
        low, high = spans.pop()
        trial = [*chosen[:low], *translations[low:high], *chosen[high:]]
        if trial == chosen:
            continue
        tries -= 1
        if tries >= 0 and structure.outline(_replace_texts(body, texts, trial)) == outline:
            chosen = trial
        elif tries > 0 and high - low > 1:
            middle = (low + high) // 2
            spans += [(middle, high), (low, middle)]
    left = sum(a != b for a, b in zip(chosen, translations, strict=True))
    if left:
        report_of(translate).skip("the translation would change the blocks of the file", count=left)
        report_of(translate).translated -= left
    return _replace_texts(body, texts, chosen)


def _replace_texts(body: str, texts: Sequence[_MarkdownText], translations: Sequence[str]) -> str:
    parts, at = [], 0
    for text, translation in zip(texts, translations, strict=True):
        parts += [body[at : text.start], translation]
        at = text.end
    return "".join([*parts, body[at:]])
