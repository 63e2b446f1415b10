"""Split HTML into tags, comments and texts in one pass, and parse the attributes of tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_VOID_NAMES = """
    area base br col embed hr img input link meta param source track wbr
"""
_VOID = frozenset(_VOID_NAMES.split())
# Elements without tags inside.
_RAW = frozenset(["script", "style", "textarea", "iframe", "xmp", "noembed", "noframes"])
# A mask, of private-use characters, may replace the name of an element: `<{{ tag }} class="a">`.
_START = re.compile(
    r"<(?:(?P<end>/?)(?P<name>[A-Za-z\ue000-\uf8ff\U000f0000-\U000fffff][^\s/<>\"'=]*)|!--|!\[CDATA\[|[!?])"
)
_STOP = re.compile(r"[<>]|=\s*([\"'])")
_ATTRIBUTE = re.compile(
    r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'<>`][^\s"'<>`]*?(?=[\s>]|/>|\Z)))?""", re.DOTALL
)
# What a page ends with that was cut off inside a tag: a name, and attributes without prose between them.
_CUT_TAG = re.compile(
    r"""</?[A-Za-z][\w:-]{0,63}(?:\s{1,99}[\w:@.-]{1,99}\s{0,9}=\s{0,9}(?:"[^"<>]{0,2000}"|'[^'<>]{0,2000}'|[^\s"'<>]{1,2000}))*
        (?:\s{1,99}[\w:@.-]{1,99}\s{0,9}=\s{0,9}(?:"[^"<>\n]{0,2000}|'[^'<>\n]{0,2000})?|\s{1,99}[\w:@.-]{1,99})?\s{0,99}""",
    re.VERBOSE,
)
_SUBSET = re.compile(r"DOCTYPE[^<>\[]*\[[^\]]*\]\s*>", re.IGNORECASE)
_HEAD = 1000  # A document type is declared within this many characters from the start.
_BROKEN = 100  # After too many unclosed tags, only this many characters of each are scanned.


@dataclass
class HtmlToken:
    """A raw tag (`start`, `end`, `void`), comment, declaration, text or script text."""

    kind: str
    raw: str
    name: str = ""

    @property
    def attributes(self) -> Iterator[tuple[str, re.Match[str]]]:
        """Names in lower case, with the matches of name (group 1) and value (group 2, with its quotes) in `raw`."""
        for match in _ATTRIBUTE.finditer(self.raw, len(self.name) + 1):
            yield match[1].lower(), match


class _TagScanner:
    """Finds the ends of tags, with any number of attributes, in time linear in the length of the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lost = 0  # characters scanned in unclosed tags
        self._last = {quote: text.rfind(quote) for quote in "\"'"}

    def tag_end(self, start: int, at: int) -> int:
        """End of the tag that begins at `start`; -1 if it is not a tag."""
        limit = len(self.text) if self._lost <= 8 * len(self.text) else start + _BROKEN
        while match := _STOP.search(self.text, at, limit):
            if match[0] == ">":
                return match.end()
            if match[0] == "<" or self._last[match[1]] < match.end():
                break
            at = self.text.find(match[1], match.end()) + 1
        self._lost += max(at, match.end() if match else limit) - start
        return -1

    def markup_end(self, match: re.Match[str]) -> int:
        """End of a comment or a declaration; the end of the text if it is not closed."""
        at, opening = match.end(), match[0]
        closing = {"<!--": "-->", "<![CDATA[": "]]>"}.get(opening, ">")
        if opening == "<!--" and (short := re.compile("-?>").match(self.text, at)):
            return short.end()
        if match.start() < _HEAD and (subset := _SUBSET.match(self.text, at)):
            return subset.end()
        end = self.text.find(closing, at)
        return end + len(closing) if end >= 0 else len(self.text)


def tokenize_html(text: str) -> list[HtmlToken]:
    """Split a page into tokens whose concatenation is the page. Incomplete tags are text."""
    result: list[HtmlToken] = []
    scan, last = _TagScanner(text), text.rfind("<")
    at = begin = 0  # start of the search, start of the pending text
    while match := _START.search(text, at):
        name = (match["name"] or "").lower()
        end = scan.tag_end(match.start(), match.end()) if name else scan.markup_end(match)
        if end < 0 and match.start() == last and _CUT_TAG.fullmatch(text, match.start()):
            result.append(HtmlToken("text", text[begin : match.start()]))
            result.append(HtmlToken("declaration", text[match.start() :]))
            begin = len(text)
            break
        if end < 0:
            at = match.end()
            continue
        result.append(HtmlToken("text", text[begin : match.start()]))
        result.append(_html_token(match, text[match.start() : end], name))
        at = begin = end
        if result[-1].kind == "start" and name in _RAW:
            close = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(text, at)
            begin = at = close.start() if close else len(text)
            result.append(HtmlToken("raw", text[end:at]))
    return [token for token in [*result, HtmlToken("text", text[begin:])] if token.raw]


def _html_token(match: re.Match[str], raw: str, name: str) -> HtmlToken:
    if not name:
        return HtmlToken("comment" if match[0] == "<!--" else "declaration", raw)
    if match["end"]:
        return HtmlToken("end", raw, name)
    return HtmlToken("void" if name in _VOID or raw.endswith("/>") else "start", raw, name)


def match_tags(tokens: list[HtmlToken]) -> dict[int, int]:
    """For every start tag the number of its end tag, if tags of this name are nested correctly."""
    opened: dict[str, list[int]] = {}
    pairs: dict[int, int] = {}
    for number, token in enumerate(tokens):
        if token.kind == "start":
            opened.setdefault(token.name, []).append(number)
        elif token.kind == "end" and opened.get(token.name):
            pairs[opened[token.name].pop()] = number
    return pairs
