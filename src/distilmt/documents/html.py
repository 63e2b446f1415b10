"""HTML: texts and the attributes that people read; every tag is copied as it stands."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from distilmt.documents import Translate, languages_of, report_of
from distilmt.documents.captions import PROSE, skip_literals
from distilmt.documents.html_attributes import (
    in_language,
    is_icon,
    is_sent,
    is_untranslated,
    readable,
    unquoted,
    values,
    with_values,
)
from distilmt.documents.html_tokenizer import Piece, partners, pieces
from distilmt.documents.inline import translate_units
from distilmt.documents.segments import Mark, Unit, gaps, text_of
from distilmt.documents.split_words import whole_words
from distilmt.documents.templates import Masked, expressions, masked

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
# What readers may see of what is skipped; all but code is counted.
_SEEN = (_SKIPPED - {"script", "style"}) | {"svg", "object"}
_CODE_CLASS = re.compile(r"(?i)code|source|highlight|lang|shell|terminal|console")


def translate_html(text: str, translate: Translate) -> str:
    """Translate a page, or a piece of one.

    Args:
        text: HTML as browsers take it, whole or broken; what is no tag is text. Template expressions are kept.
        translate: as in `translate_document`.

    Returns:
        The page with its text and the attributes that people read translated, such as `alt`, `title`, `placeholder`
        and a description's `content`. Nothing inside `code`, `pre`, `script`, `style` and the like is, nor what is
        marked `translate="no"`, nor the names of icons. Where the languages are known, `lang` says the new one.
    """
    masks = masked(text, expressions(text))
    return masks.restored(translated_pieces(masks, masks.text, translate, literals=True))


def translated_pieces(masks: Masked, text: str, translate: Translate, literals: bool = False) -> str:
    """Translate HTML in which expressions are masks; the masks are still there in what is returned.

    Args:
        literals: texts inside the expressions are counted as left.
    """
    found = pieces(text)
    ends = partners(found)
    kept = _kept(found, ends)
    translate_attributes(
        [p for i, p in enumerate(found) if p.kind in ("start", "void") and i not in kept], masks, translate
    )
    _skip_elements(found, kept, translate)
    if literals:
        raws = [piece.raw for piece in _outside(found, kept) if masks.has_masks(piece.raw)]
        skip_literals([masks.originals[number] for raw in raws for number in masks.numbers(raw)], translate)
    parts = _blocks(found, kept, masks)
    blocks = [part for part in parts if isinstance(part, Block)]
    for block, unit in zip(blocks, translate_units([block.unit for block in blocks], translate), strict=True):
        block.translation = unit
    report_of(translate).translated += sum(text_of(block.translation) != text_of(block.unit) for block in blocks)
    return "".join(part if isinstance(part, str) else part.html() for part in parts)


def translate_attributes(tags: list[Piece], masks: Masked, translate: Translate) -> None:
    """Translate what people read of the attributes of tags, and name the language there."""
    found = [(piece, match) for piece in tags for match in readable(piece)]
    units = [unit_of(unquoted(match[2]), masks) for _, match in found]
    changes: dict[int, list[tuple[re.Match[str], str]]] = {}
    for (piece, match), source, unit in zip(found, units, translate_units(units, translate), strict=True):
        if text_of(unit) != text_of(source):
            changes.setdefault(id(piece), []).append((match, text_of(unit)))
    languages = languages_of(translate)
    sent = sum(map(is_sent, tags))
    if sent:
        report_of(translate).skip("it is a button's value that its form sends", count=sent)
    for piece in tags:
        if id(piece) in changes:
            piece.raw = with_values(piece, changes[id(piece)])
        if languages and ("lang" in piece.raw.lower() or piece.name in ("html", "meta")):
            piece.raw = in_language(piece, *languages)


def unit_of(raw: str, masks: Masked) -> Unit:
    """A text of HTML as a unit: entities are characters, and masks are marks."""
    return [_mark(part, masks) if is_mask else html.unescape(part) for part, is_mask in masks.parts(raw) if part]


def _mark(mask: str, masks: Masked) -> Mark:
    return Mark("point", mask) if masks.is_statement(mask) else Mark("kept", mask, masks.shown(mask))


def _kept(found: list[Piece], ends: dict[int, int]) -> dict[int, int]:
    """Numbers of the start tags of what is left as it stands, and of its ends."""
    kept: dict[int, int] = {}
    for number, piece in enumerate(found):
        if piece.kind != "start":
            continue
        end = ends.get(number, number)
        inner = "".join(p.raw for p in found[number + 1 : end]) if end <= number + 2 else "<>"
        if (
            piece.name in CODE
            or piece.name in _SKIPPED
            or is_untranslated(piece)
            or (end > number and is_icon(piece, inner))
        ):
            kept[number] = end
    return kept


def _outside(found: list[Piece], kept: dict[int, int]) -> Iterator[Piece]:
    """What is in no element that is left as it stands."""
    number = 0
    while number < len(found):
        if number not in kept:
            yield found[number]
        number = kept.get(number, number) + 1


def _skip_elements(found: list[Piece], kept: dict[int, int], translate: Translate) -> None:
    """Count the texts of elements that are left, where readers may see them and they are no code."""
    end = -1
    for number, last in kept.items():
        piece = found[number]
        inner = found[number + 1 : last] if last > number else []
        if number > end and piece.name in _SEEN and not _is_code(piece, inner) and not is_untranslated(piece):
            texts = [p.raw for p in inner if p.kind in ("text", "raw") and PROSE.search(p.raw)]
            if texts:
                report_of(translate).skip(f"it stands inside <{piece.name}>", count=len(texts))
        end = max(end, last)


def _is_code(piece: Piece, inner: list[Piece]) -> bool:
    """Whether preformatted text is a program's, by its class or by what highlights it."""
    if piece.name != "pre":
        return False
    return bool(_CODE_CLASS.search(values(piece).get("class", ""))) or any(
        p.kind == "start" and p.name in ("code", "span", "samp", "kbd") for p in inner[:3]
    )


@dataclass
class Block:
    """A text with tags in it, that belongs together."""

    items: list[Mark | str] = field(default_factory=list)
    """Tags, and texts as they stand."""
    translation: Unit = field(default_factory=list)

    def __post_init__(self) -> None:
        self._words: list[Mark | str] = []

    @property
    def unit(self) -> Unit:
        """What is translated: words are whole, and entities are characters."""
        self._words = whole_words(self.items)
        return [item if isinstance(item, Mark) else html.unescape(item) for item in self._words]

    def html(self) -> str:
        """The block as HTML; texts that did not change are written as they stood."""
        raws = [text_of(gap) for gap in gaps([*self._words])]
        written, changed = [], False
        for target, raw in zip(gaps(self.translation), raws, strict=True):
            text = text_of(target)
            same = text == html.unescape(raw)
            changed = changed or not same
            written.append(raw if same else _escaped(text, raw))
        if not changed:
            return text_of([*self.items])
        marks = [item for item in self._words if isinstance(item, Mark)]
        return written[0] + "".join(mark.raw + text for mark, text in zip(marks, written[1:], strict=True))


def _escaped(text: str, raw: str) -> str:
    """A text as HTML. Characters that the source writes as entities (`&nbsp;`, `&copy;`) are written so again."""
    entities = {char: entity for entity in _ENTITY.findall(raw) if len(char := html.unescape(entity)) == 1}
    return html.escape(text, quote=False).translate(
        {ord(char): entity for char, entity in entities.items() if not char.isascii()}
    )


class _Blocks:
    """The page in turn: texts, and what stands between them."""

    def __init__(self, masks: Masked) -> None:
        self.parts: list[str | Block] = []
        self.block = Block()
        self._masks = masks

    def between(self, raw: str) -> None:
        """What ends a text."""
        self.parts += [self.block, raw]
        self.block = Block()

    def text(self, raw: str) -> None:
        """A text. A statement of a template ends what is before: no text passes it."""
        for part, is_mask in self._masks.parts(raw):
            if not is_mask:
                self.block.items.append(part)
            elif self._masks.is_statement(part):
                self.between(part)
            else:
                self.block.items.append(_mark(part, self._masks))

    def tag(self, piece: Piece) -> None:
        """A tag or a comment."""
        if piece.kind == "comment":
            self.block.items.append(Mark("point", piece.raw))
        elif piece.name in _INLINE:
            kind = {"start": "open", "end": "close"}.get(piece.kind, "point")
            self.block.items.append(Mark(kind, piece.raw))  # type: ignore[arg-type]
        else:
            self.between(piece.raw)

    def kept(self, found: list[Piece]) -> None:
        """An element that is left as it stands: a word, if it is one of a text."""
        first, raw = found[0], "".join(piece.raw for piece in found)
        inner = html.unescape(self._masks.restored("".join(p.raw for p in found if p.kind == "text")))
        if first.name in _SKIPPED or not (first.name in _INLINE | CODE or is_icon(first, inner)):
            self.between(raw)
        elif is_icon(first, inner):
            self.block.items.append(Mark("point", raw))
        else:
            self.block.items.append(Mark("kept", raw, " ".join(inner.split()) or "X"))


def _blocks(found: list[Piece], kept: dict[int, int], masks: Masked) -> list[str | Block]:
    blocks = _Blocks(masks)
    number = 0
    while number < len(found):
        piece, end = found[number], kept.get(number, number)
        if number in kept:
            blocks.kept(found[number : end + 1])
        elif piece.kind == "text":
            blocks.text(piece.raw)
        else:
            blocks.tag(piece)
        number = end + 1
    return [*blocks.parts, blocks.block]
