"""HTML: texts and the attributes that people read; every tag is copied as it stands."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from distilmt.errors import UserError
from distilmt.formats import Translate
from distilmt.formats.inline import Mark, Unit, gaps, text_of, translate_units

_INLINE = re.compile(
    r"a|abbr|acronym|b|bdi|bdo|big|cite|data|del|dfn|em|font|i|img|input|ins|mark|q|r[bpt]|ruby|s|small|span|strike"
    r"|strong|su[bp]|time|tt|u|wbr"
)
_ALONE = re.compile(r"area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
_CODE = re.compile(r"code|kbd|samp|var|math|svg|object")
_SKIPPED = re.compile(r"script|style|pre|textarea|template|noscript|iframe")
_READ = re.compile(
    r"""(\s(?:alt|title|placeholder|aria-label|aria-description|label)\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE
)
_DESCRIBES = re.compile(r"""\s(?:name|property)\s*=\s*["']?(?:[a-z]{2,9}:)?(?:description|title)\b""", re.IGNORECASE)
_CONTENT = re.compile(r"""(\scontent\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_UNTRANSLATED = re.compile(r"""\stranslate\s*=\s*["']?no\b|\sclass\s*=\s*["'][^"']*\bnotranslate\b""", re.IGNORECASE)


@dataclass
class Piece:
    """A tag, a comment or a text of a page, as it stands."""

    kind: str
    raw: str
    name: str = ""


class _Reader(HTMLParser):
    """Cuts a page into pieces that are, joined, the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self._text = text
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._found: list[tuple[int, str, str]] = []
        self.feed(text)
        self.close()

    def _note(self, kind: str, name: str = "") -> None:
        line, column = self.getpos()
        self._found.append((self._starts[line - 1] + column, kind, name))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._note("alone" if _ALONE.fullmatch(tag) else "start", tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self._note("alone", tag)

    def handle_endtag(self, tag: str) -> None:
        self._note("end", tag)

    def handle_data(self, data: str) -> None:
        self._note("text")

    def handle_entityref(self, name: str) -> None:
        self._note("text")

    def handle_charref(self, name: str) -> None:
        self._note("text")

    def handle_comment(self, data: str) -> None:
        self._note("comment")

    def handle_decl(self, decl: str) -> None:
        self._note("declaration")

    def handle_pi(self, data: str) -> None:
        self._note("declaration")

    def unknown_decl(self, data: str) -> None:
        self._note("comment")

    def pieces(self) -> list[Piece]:
        found: list[Piece] = []
        ends = [start for start, *_ in self._found[1:]] + [len(self._text)]
        first = self._found[0][0] if self._found else len(self._text)
        for (start, kind, name), end in zip([(0, "text", ""), *self._found], [first, *ends], strict=False):
            raw = self._text[start:end]
            if kind == "text" and found and found[-1].kind == "text":
                found[-1].raw += raw
            elif raw:
                found.append(Piece(kind, raw, name))
        return found


def translate_html(text: str, translate: Translate) -> str:
    """Translate a page, or a piece of one.

    Args:
        text: HTML as browsers take it, whole or broken; what is no tag is text.
        translate: as in `translate_document`.

    Returns:
        The page with its text and the attributes `alt`, `title`, `placeholder`, `aria-label`, `label` and a
        description's `content` translated. Nothing inside `code`, `pre`, `script`, `style` and the like is, nor
        what is marked `translate="no"`.
    """
    pieces = _pieces(text)
    _translate_attributes(pieces, translate)
    blocks = _blocks(pieces)
    texts = [block for block in blocks if isinstance(block, Block)]
    sources = [block.unit for block in texts]
    for block, unit in zip(texts, translate_units(sources, translate), strict=True):
        block.said = unit
    return "".join(block if isinstance(block, str) else block.html() for block in blocks)


def _pieces(text: str) -> list[Piece]:
    try:
        return _Reader(text).pieces()
    except (AssertionError, ValueError) as error:
        raise UserError(f"not HTML that can be read ({error}): mend it") from None


def _translate_attributes(pieces: list[Piece], translate: Translate) -> None:
    tags = [p for p in pieces if p.kind in ("start", "alone") and not _UNTRANSLATED.search(p.raw)]
    found = [(p, m) for p in tags for m in _attributes(p)]
    units: list[Unit] = [[html.unescape(m[2][1:-1])] for _, m in found]
    for (piece, match), source, unit in reversed(
        list(zip(found, units, translate_units(units, translate), strict=True))
    ):
        if text_of(unit) != source[0]:
            quote = match[2][0]
            value = html.escape(text_of(unit), quote=False).replace(quote, "&quot;" if quote == '"' else "&#39;")
            piece.raw = f"{piece.raw[: match.start(2)]}{quote}{value}{quote}{piece.raw[match.end(2) :]}"


def _attributes(piece: Piece) -> list[re.Match[str]]:
    found = list(_READ.finditer(piece.raw))
    if piece.name == "meta" and _DESCRIBES.search(piece.raw):
        found += _CONTENT.finditer(piece.raw)
    return found


@dataclass
class Block:
    """A text with tags in it, that belongs together."""

    unit: Unit = field(default_factory=list)
    raws: list[str] = field(default_factory=lambda: [""])
    said: Unit = field(default_factory=list)

    def add(self, raw: str) -> None:
        """Go on with a text."""
        self.unit.append(html.unescape(raw))
        self.raws[-1] += raw

    def mark(self, mark: Mark) -> None:
        """Go on with a tag."""
        self.unit.append(mark)
        self.raws.append("")

    def html(self) -> str:
        """The block as HTML; texts that did not change are written as they stood."""
        marks = [part for part in self.unit if isinstance(part, Mark)]
        texts = []
        for source, made, raw in zip(gaps(self.unit), gaps(self.said), self.raws, strict=True):
            before, after = text_of(source), text_of(made)
            texts.append(raw if before == after else html.escape(after, quote=False))
        return texts[0] + "".join(mark.raw + text for mark, text in zip(marks, texts[1:], strict=True))


def _blocks(pieces: list[Piece]) -> list[str | Block]:
    found: list[str | Block] = []
    block = Block()
    number = 0
    ends = _ends(pieces)

    def close() -> None:
        nonlocal block
        found.append(block)
        block = Block()

    while number < len(pieces):
        piece = pieces[number]
        code = _CODE.fullmatch(piece.name)
        if piece.kind == "start" and (code or _SKIPPED.fullmatch(piece.name) or _UNTRANSLATED.search(piece.raw)):
            end = ends.get(number, number)
            raw = "".join(p.raw for p in pieces[number : end + 1])
            if code or _INLINE.fullmatch(piece.name):
                shown = html.unescape("".join(p.raw for p in pieces[number : end + 1] if p.kind == "text"))
                block.mark(Mark("kept", raw, " ".join(shown.split()) or "X"))
            else:
                close()
                found.append(raw)
            number = end + 1
            continue
        number += 1
        if piece.kind == "text":
            block.add(piece.raw)
        elif piece.kind == "comment":
            block.mark(Mark("point", piece.raw))
        elif _INLINE.fullmatch(piece.name):
            kind = {"start": "open", "end": "close"}.get(piece.kind, "point")
            block.mark(Mark(kind, piece.raw))  # type: ignore[arg-type]
        else:
            close()
            found.append(piece.raw)
    close()
    return found


def _ends(pieces: list[Piece]) -> dict[int, int]:
    """For every start tag the number of its end tag, where tags of one name are nested rightly."""
    opened: dict[str, list[int]] = {}
    found: dict[int, int] = {}
    for number, piece in enumerate(pieces):
        if piece.kind == "start":
            opened.setdefault(piece.name, []).append(number)
        elif piece.kind == "end" and opened.get(piece.name):
            found[opened[piece.name].pop()] = number
    return found
