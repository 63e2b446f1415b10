"""HTML: texts and readable attributes are translated; tags are copied unchanged."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from distilmt.documents import Translate, languages_of, report_of
from distilmt.documents.captions import PROSE, skip_literals
from distilmt.documents.html_attributes import (
    attribute_values,
    is_icon,
    is_sent,
    is_untranslated,
    localize_tag,
    readable_attributes,
    replace_values,
    unquoted,
)
from distilmt.documents.html_tokenizer import HtmlToken, match_tags, tokenize_html
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, Segment, gaps, text_of
from distilmt.documents.split_words import merge_split_words
from distilmt.documents.templates import MaskedText, expressions, mask_spans

_INLINE_NAMES = """
    a abbr acronym b bdi bdo big cite data del dfn em font i img input ins mark q rb rp rt rtc ruby s small span strike
    strong sub sup time tt u wbr
"""
_INLINE = frozenset(_INLINE_NAMES.split())
CODE = frozenset(["code", "kbd", "samp", "var", "math", "svg", "object"])
_ENTITY = re.compile(r"&#?\w{1,32};")
_SKIPPED_NAMES = """
    script style pre textarea iframe xmp listing plaintext noembed noframes
"""
_SKIPPED = frozenset(_SKIPPED_NAMES.split())
# How the text before it is pronounced: with it a model would read both as one word.
_ANNOTATION = frozenset(["rt", "rp"])
# Skipped elements that readers may see; all but code are counted.
_SEEN = (_SKIPPED - {"script", "style"}) | {"svg", "object", "rt"}
_CODE_CLASS = re.compile(r"(?i)code|source|highlight|lang|shell|terminal|console")


def translate_html(text: str, translate: Translate) -> str:
    """Translate a page, or a fragment of one.

    Args:
        text: HTML as browsers accept it, valid or not; anything but tags is text. Template expressions are kept.
        translate: as in `translate_document`.

    Returns:
        The page with its text and readable attributes translated, such as `alt`, `title`, `placeholder` and a
        description's `content`. The content of `code`, `pre`, `script`, `style` and similar elements, elements with
        `translate="no"` and icon names stay unchanged. If the languages are known, `lang` is set to the target.
    """
    masks = mask_spans(text, expressions(text))
    return masks.restored(translate_fragment(masks, masks.text, translate, literals=True))


def translate_fragment(masks: MaskedText, text: str, translate: Translate, literals: bool = False) -> str:
    """Translate HTML with masked expressions; the result still has the masks.

    Args:
        literals: count texts inside the expressions as skipped.
    """
    tokens = tokenize_html(text)
    ends = match_tags(tokens)
    verbatim = _verbatim_ranges(tokens, ends)
    translate_attributes(
        [p for i, p in enumerate(tokens) if p.kind in ("start", "void") and i not in verbatim], masks, translate
    )
    _skip_elements(tokens, verbatim, translate)
    if literals:
        raws = [piece.raw for piece in _outside(tokens, verbatim) if masks.has_masks(piece.raw)]
        skip_literals([masks.originals[number] for raw in raws for number in masks.numbers(raw)], translate)
    parts = _build_blocks(tokens, verbatim, masks)
    blocks = [part for part in parts if isinstance(part, HtmlBlock)]
    for block, segment in zip(blocks, translate_segments([block.segment for block in blocks], translate), strict=True):
        block.translation = segment
    report_of(translate).translated += sum(text_of(block.translation) != text_of(block.segment) for block in blocks)
    return "".join(part if isinstance(part, str) else part.html() for part in parts)


def translate_attributes(tags: list[HtmlToken], masks: MaskedText, translate: Translate) -> None:
    """Translate the readable attributes of tags, and set the language attributes."""
    attributes = [(token, match) for token in tags for match in readable_attributes(token)]
    segments = [segment_of(unquoted(match[2]), masks) for _, match in attributes]
    changes: dict[int, list[tuple[re.Match[str], str]]] = {}
    for (token, match), source, segment in zip(
        attributes, segments, translate_segments(segments, translate), strict=True
    ):
        if text_of(segment) != text_of(source):
            changes.setdefault(id(token), []).append((match, text_of(segment)))
    languages = languages_of(translate)
    sent = sum(map(is_sent, tags))
    if sent:
        report_of(translate).skip("it is a button's value, which the form sends", count=sent)
    for token in tags:
        if id(token) in changes:
            token.raw = replace_values(token, changes[id(token)])
        if languages and ("lang" in token.raw.lower() or token.name in ("html", "meta")):
            token.raw = localize_tag(token, *languages)


def segment_of(raw: str, masks: MaskedText) -> Segment:
    """An HTML text as a segment: entities are decoded, and masks become tags."""
    return [_inline_tag(part, masks) if is_mask else html.unescape(part) for part, is_mask in masks.parts(raw) if part]


def _inline_tag(mask: str, masks: MaskedText) -> InlineTag:
    return InlineTag("point", mask) if masks.is_statement(mask) else InlineTag("kept", mask, masks.shown(mask))


def _verbatim_ranges(tokens: list[HtmlToken], ends: dict[int, int]) -> dict[int, int]:
    """Numbers of the start and end tags of elements that stay unchanged."""
    verbatim: dict[int, int] = {}
    for number, token in enumerate(tokens):
        if token.kind != "start":
            continue
        end = ends.get(number, number)
        inner = "".join(p.raw for p in tokens[number + 1 : end]) if end <= number + 2 else "<>"
        if (
            token.name in CODE
            or token.name in _SKIPPED
            or is_untranslated(token)
            or (end > number and (is_icon(token, inner) or token.name in _ANNOTATION))
        ):
            verbatim[number] = end
    return verbatim


def _outside(tokens: list[HtmlToken], verbatim: dict[int, int]) -> Iterator[HtmlToken]:
    """The tokens outside of elements that stay unchanged."""
    number = 0
    while number < len(tokens):
        if number not in verbatim:
            yield tokens[number]
        number = verbatim.get(number, number) + 1


def _skip_elements(tokens: list[HtmlToken], verbatim: dict[int, int], translate: Translate) -> None:
    """Count the texts of skipped elements that readers may see and that are not code."""
    end = -1
    for number, last in verbatim.items():
        token = tokens[number]
        inner = tokens[number + 1 : last] if last > number else []
        if number > end and token.name in _SEEN and not _is_code(token, inner) and not is_untranslated(token):
            texts = [p.raw for p in inner if p.kind in ("text", "raw") and (PROSE.search(p.raw) or token.name == "rt")]
            if texts:
                report_of(translate).skip(f"it is inside <{token.name}>", count=len(texts))
        end = max(end, last)


def _is_code(piece: HtmlToken, inner: list[HtmlToken]) -> bool:
    """Whether preformatted text is code, by its class or its highlighter."""
    if piece.name != "pre":
        return False
    return bool(_CODE_CLASS.search(attribute_values(piece).get("class", ""))) or any(
        p.kind == "start" and p.name in ("code", "span", "samp", "kbd") for p in inner[:3]
    )


@dataclass
class HtmlBlock:
    """A coherent text with inline tags."""

    items: list[InlineTag | str] = field(default_factory=list)
    """Tags and raw texts."""
    translation: Segment = field(default_factory=list)

    def __post_init__(self) -> None:
        self._words: list[InlineTag | str] = []

    @property
    def segment(self) -> Segment:
        """The segment for translation: words are not split by tags, and entities are decoded."""
        self._words = merge_split_words(self.items)
        return [item if isinstance(item, InlineTag) else html.unescape(item) for item in self._words]

    def html(self) -> str:
        """The block as HTML; unchanged texts are written in their original form."""
        raws = [text_of(gap) for gap in gaps([*self._words])]
        written, changed = [], False
        for target, raw in zip(gaps(self.translation), raws, strict=True):
            text = text_of(target)
            same = text == html.unescape(raw)
            changed = changed or not same
            written.append(raw if same else _escaped(text, raw))
        if not changed:
            return text_of([*self.items])
        tags = [item for item in self._words if isinstance(item, InlineTag)]
        return written[0] + "".join(tag.raw + text for tag, text in zip(tags, written[1:], strict=True))


def _escaped(text: str, raw: str) -> str:
    """A text as HTML. Characters that are entities in the source (`&nbsp;`, `&copy;`) become entities again."""
    entities = {char: entity for entity in _ENTITY.findall(raw) if len(char := html.unescape(entity)) == 1}
    return html.escape(text, quote=False).translate(
        {ord(char): entity for char, entity in entities.items() if not char.isascii()}
    )


class _BlockBuilder:
    """The blocks and other parts of the page, in order."""

    def __init__(self, masks: MaskedText) -> None:
        self.parts: list[str | HtmlBlock] = []
        self.block = HtmlBlock()
        self._masks = masks

    def between(self, raw: str) -> None:
        """A token that ends a text."""
        self.parts += [self.block, raw]
        self.block = HtmlBlock()

    def text(self, raw: str) -> None:
        """A text. A statement of a template ends the text before it."""
        for part, is_mask in self._masks.parts(raw):
            if not is_mask:
                self.block.items.append(part)
            elif self._masks.is_statement(part):
                self.between(part)
            else:
                self.block.items.append(_inline_tag(part, self._masks))

    def tag(self, token: HtmlToken) -> None:
        """A tag or a comment."""
        if token.kind == "comment":
            self.block.items.append(InlineTag("point", token.raw))
        elif token.name in _INLINE:
            kind = {"start": "open", "end": "close"}.get(token.kind, "point")
            self.block.items.append(InlineTag(kind, token.raw))  # type: ignore[arg-type]
        else:
            self.between(token.raw)

    def verbatim(self, tokens: list[HtmlToken]) -> None:
        """An element that stays unchanged; within a text it counts as a word."""
        first, raw = tokens[0], "".join(token.raw for token in tokens)
        inner = html.unescape(self._masks.restored("".join(p.raw for p in tokens if p.kind == "text")))
        if first.name in _SKIPPED or not (first.name in _INLINE | CODE or is_icon(first, inner)):
            self.between(raw)
        elif is_icon(first, inner) or first.name in _ANNOTATION:
            self.block.items.append(InlineTag("point", raw))
        else:
            self.block.items.append(InlineTag("kept", raw, " ".join(inner.split()) or "X"))


def _build_blocks(tokens: list[HtmlToken], verbatim: dict[int, int], masks: MaskedText) -> list[str | HtmlBlock]:
    blocks = _BlockBuilder(masks)
    number = 0
    while number < len(tokens):
        token, end = tokens[number], verbatim.get(number, number)
        if number in verbatim:
            blocks.verbatim(tokens[number : end + 1])
        elif token.kind == "text":
            blocks.text(token.raw)
        else:
            blocks.tag(token)
        number = end + 1
    return [*blocks.parts, blocks.block]
