"""HTML: texts and the attributes that people read; every tag is copied as it stands."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.units import Mark, Unit, gaps, text_of

_INLINE = re.compile(
    r"a|abbr|acronym|b|bdi|bdo|big|cite|data|del|dfn|em|font|i|img|input|ins|mark|q|r[bpt]|ruby|s|small|span|strike"
    r"|strong|su[bp]|time|tt|u|wbr"
)
_ALONE = re.compile(r"area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
_CODE = re.compile(r"code|kbd|samp|var|math|svg|object")
_SKIPPED = re.compile(r"script|style|pre|textarea|template|noscript|iframe")
# What holds no tags.
_RAW = re.compile(r"script|style|textarea|iframe|noscript")
# Not html.parser: it takes quadratic time for tags that are not closed, and does not tell where an end tag ends.
_TAG = re.compile(
    r"""
    <!--(?:-?>|.*?(?:-->|\Z))
  | <[!?][^>]*(?:>|\Z)
  | <(?P<end>/?)(?P<name>[A-Za-z][^\s/<>"']{0,99})(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*'){0,9999})>
    """,
    re.VERBOSE | re.DOTALL,
)
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


def _pieces(text: str) -> list[Piece]:
    """A page cut into pieces that are, joined, the page. What is no whole tag is text, as far as can be told."""
    found: list[Piece] = []
    at = 0
    while match := _TAG.search(text, at):
        found.append(Piece("text", text[at : match.start()]))
        at = match.end()
        name = (match["name"] or "").lower()
        kind = "start" if name else "comment" if match[0].startswith("<!--") else "declaration"
        if name and (match["attributes"].endswith("/") or _ALONE.fullmatch(name)):
            kind = "alone"
        found.append(Piece("end" if match["end"] else kind, match[0], name))
        if kind == "start" and not match["end"] and _RAW.fullmatch(name):
            close = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(text, at)
            found.append(Piece("raw", text[at : close.start() if close else len(text)]))
            at += len(found[-1].raw)
    return [piece for piece in [*found, Piece("text", text[at:])] if piece.raw]


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
