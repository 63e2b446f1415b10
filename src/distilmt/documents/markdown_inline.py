"""Inline markup of Markdown: parse a paragraph into a segment, and write a segment as text, in linear time."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from distilmt.documents.html import CODE
from distilmt.documents.html_attributes import is_icon, is_untranslated
from distilmt.documents.html_tokenizer import tokenize_html
from distilmt.documents.markdown_tokens import INLINE_TOKEN
from distilmt.documents.segments import InlineTag, Segment, gaps, merge_strings, text_of
from distilmt.documents.templates import MaskedText

_SPECIAL = re.compile(r"([\\`*_\[\]<>~$&|])")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|(&#?\w{1,32};)")
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")  # it was literal text, not an entity
_LINE_START = re.compile(r"^([ \t]*)([-+*#<>=~`|:!?]|\d{1,9}(?=[.)]))")
_LEAD = re.compile(r"[^\w\s]{1,9}(?:\s|$)?")
# Names that are not text: in code, with digits or signs, or with the capitals of a brand or abbreviation.
_CODE_NAME = re.compile(r"`.*`|\S*[\d_./@:#+~]\S*|\w*[a-z][A-Z]\w*|[A-Z]{2,}", re.DOTALL)
_LABEL = 60  # Maximum parts of a reference's name.


@dataclass
class InlineText:
    """A text as a segment, and the raw form of each of its gaps."""

    segment: Segment
    raws: list[str]
    tags: dict[int, str] = field(default_factory=dict)
    """Tags with a changed raw form, by their number."""
    labels: dict[InlineTag, tuple[InlineTag, str]] = field(default_factory=dict)
    """Ends of links whose text is the name of their target: their start tag, and the name."""

    @property
    def marks(self) -> list[InlineTag]:
        """The inline tags between the gaps."""
        return [part for part in self.segment if isinstance(part, InlineTag) and part.kind != "break"]


@dataclass
class _OpenDelimiters:
    """Open markup: its signs and positions, with one stack in total and one per sign."""

    stack: list[tuple[str, int]] = field(default_factory=list)
    by_sign: dict[str, list[int]] = field(default_factory=dict)

    def push(self, sign: str, place: int) -> None:
        self.by_sign.setdefault(sign, []).append(len(self.stack))
        self.stack.append((sign, place))

    def pop(self, sign: str) -> int | None:
        """Close the last one of this sign and everything opened after it; returns its position."""
        positions = self.by_sign.get(sign)
        if not positions:
            return None
        position = positions[-1]
        place = self.stack[position][1]
        while len(self.stack) > position:
            self.by_sign[self.stack.pop()[0]].pop()
        return place


class _Reader:
    """Splits a text at its markup."""

    def __init__(self, raw: str, references: Collection[str], masks: MaskedText) -> None:
        self.raw, self.references, self.masks = raw, references, masks
        self.parts: list[str | InlineTag] = []
        self.opened = _OpenDelimiters()
        self._unclosed: set[str] = set()
        self.labels: dict[InlineTag, tuple[InlineTag, str]] = {}
        self.runs: dict[int, list[int]] = {}
        for match in re.finditer("`+", raw):
            self.runs.setdefault(len(match[0]), []).append(match.start())

    def read(self) -> list[str | InlineTag]:
        """Raw strings and tags."""
        end = 0
        while match := INLINE_TOKEN.search(self.raw, end):
            self.parts.append(self.raw[end : match.start()])
            end = match.end()
            kind = match.lastgroup or "kept"
            if kind == "ticks":
                end = self._code(match)
            elif kind in ("escape", "open"):
                if kind == "open":
                    self.opened.push("[", len(self.parts))
                self.parts.append(match[0])
            elif kind == "close":
                self._close_bracket(match[0])
            elif kind == "run":
                self._run(match)
            elif kind in ("wiki", "wikiend"):
                self._wiki(match[0], kind)
            elif kind == "tag":
                end = self._tag(match)
            else:
                self.parts.append(_inline_tag(kind, match[0]))
        self.parts.append(self.raw[end:])
        return self.parts

    def _code(self, match: re.Match[str]) -> int:
        positions = self.runs[len(match[0])]
        following = bisect_right(positions, match.start())
        if following == len(positions):
            self.parts.append(match[0])
            return match.end()
        end = positions[following] + len(match[0])
        code = self.raw[match.start() : end]
        self.parts.append(InlineTag("kept", code, self.masks.restored(" ".join(code.strip("` ").split())) or "X"))
        return end

    def _tag(self, match: re.Match[str]) -> int:
        """An HTML tag; an element that stays unchanged becomes one tag."""
        token = tokenize_html(match[0])[0]
        if token.kind == "start" and token.name not in self._unclosed:
            if close := re.compile(f"</{re.escape(token.name)}\\s*>", re.IGNORECASE).search(self.raw, match.end()):
                inner = html.unescape(self.raw[match.end() : close.start()])
                if is_icon(token, inner) or token.name in CODE or is_untranslated(token):
                    raw = self.raw[match.start() : close.end()]
                    shown = self.masks.restored(" ".join(inner.split())) or "X"
                    self.parts.append(
                        InlineTag("point", raw) if is_icon(token, inner) else InlineTag("kept", raw, shown)
                    )
                    return close.end()
            else:
                self._unclosed.add(token.name)
        self.parts.append(_inline_tag("tag", match[0]))
        return match.end()

    def _wiki(self, sign: str, kind: str) -> None:
        if kind == "wiki":
            self.opened.push("[[", len(self.parts))
            self.parts.append(sign)
        elif (place := self.opened.pop("[[")) is not None:
            self.parts[place] = InlineTag("open", str(self.parts[place]))
            self.parts.append(InlineTag("close", sign))
        else:
            self._close_bracket("]")
            self._close_bracket("]")

    def _close_bracket(self, sign: str) -> None:
        start = self.opened.pop("[")
        if start is None:
            self.parts.append(sign)
            return
        opening = self.parts[start]
        first = opening if isinstance(opening, str) else opening.raw
        if sign not in ("]", "][]") or first.startswith(":"):
            self.parts[start] = InlineTag("open", first)
            self.parts.append(InlineTag("close", sign))
            return
        from markdown_it.common.utils import normalizeReference

        if self.references and len(self.parts) - start < _LABEL:
            label = "".join(p if isinstance(p, str) else p.raw for p in self.parts[start + 1 :])
            if normalizeReference(label) in self.references:
                # Its text is also the name of its target.
                if _CODE_NAME.fullmatch(label) or not any(c.isalpha() for c in label):
                    self.parts[start:] = [InlineTag("kept", first + label + sign, " ".join(label.split()) or "X")]
                else:
                    begin, end = InlineTag("open", first), InlineTag("close", sign)
                    self.parts[start] = begin
                    self.parts.append(end)
                    self.labels[end] = begin, label
                return
        self.parts.append(sign)

    def _run(self, match: re.Match[str]) -> None:
        """Asterisks, underscores or tildes: markup if they touch a word on one side."""
        sign = match[0]
        before = self.raw[match.start() - 1 : match.start()] or " "
        behind = self.raw[match.end() : match.end() + 1] or " "
        in_word = sign[0] in "_=" and before.isalnum() and behind.isalnum()
        if not before.isspace() and not in_word and (place := self.opened.pop(sign)) is not None:
            self.parts[place] = InlineTag("open", sign)
            self.parts.append(InlineTag("close", sign))
            return
        if not behind.isspace() and not in_word:
            self.opened.push(sign, len(self.parts))
        self.parts.append(sign)


def _inline_tag(kind: str, raw: str) -> InlineTag:
    if kind == "tag":
        tag = re.match(r"<(/?)[A-Za-z]", raw)
        alone = raw.endswith("/>") or re.match(r"<(?:br|img|hr|wbr|input)\b", raw, re.IGNORECASE)
        return InlineTag("point" if alone or not tag else "close" if tag[1] else "open", raw)
    if kind in ("point", "break"):
        return InlineTag(kind, raw)  # type: ignore[arg-type]
    return InlineTag("kept", raw, raw.strip("`<>$ ") or "X")


def read_inline(raw: str, references: Collection[str], masks: MaskedText) -> InlineText:
    """Split a text at its markup and its masks.

    Args:
        raw: the raw text of the file.
        references: markdown-it's normalized names of the file's references.
        masks: masks of the whole file.
    """
    segment: Segment = []
    raws = [""]
    reader = _Reader(raw, references, masks)
    for part in _masks_apart(merge_strings(reader.read()), masks):
        if isinstance(part, str):
            segment.append(_ESCAPED.sub(lambda match: match[1] or html.unescape(match[2]), part))
            raws[-1] += part
        elif part.kind == "break":
            segment.append(part)
            raws[-1] += part.raw
        else:
            segment.append(part)
            raws.append("")
    return InlineText([part for part in segment if part != ""], raws, labels=reader.labels)


def _masks_apart(parts: list[str | InlineTag], masks: MaskedText) -> Iterator[str | InlineTag]:
    for part in parts:
        if isinstance(part, InlineTag) or not masks.has_masks(part):
            yield part
            continue
        for text, is_mask in masks.parts(part):
            if not is_mask:
                yield text
            elif masks.is_statement(text):
                yield InlineTag("point", text)
            else:
                yield InlineTag("kept", text, masks.shown(text))


def render_inline(source: InlineText, translation: Segment, is_escaped: bool, kind: str) -> str:
    """A translated segment as Markdown; unchanged gaps keep their raw form.

    Args:
        source: the source text.
        translation: its translated segment.
        is_escaped: whether all possible markup is escaped with a backslash.
        kind: `text`, `cell` or `quoted`.
    """
    tags = source.marks
    parts: list[str] = []
    starts: dict[InlineTag, int] = {}  # number of parts before the text of a tag
    for number, (before, after) in enumerate(zip(gaps(source.segment), gaps(translation), strict=True)):
        raw = source.raws[number]
        if text_of(before) == text_of(after):
            parts.append(raw)
        else:
            for part in after:
                last = next((p for p in reversed(parts) if p), "")
                line_start = not last or last.endswith(("\n", "\n> ", "\n "))
                line_start = line_start and (is_escaped or not _has_lead_of(raw, part))
                parts.append(part.raw if isinstance(part, InlineTag) else _plain(part, is_escaped, kind, line_start))
        if number < len(tags):
            parts.append(_mark_written(source, number, parts, starts))
            starts[tags[number]] = len(parts)
    return "".join(parts)


def _has_lead_of(raw: str, part: str | InlineTag) -> bool:
    """Whether a text begins with the same signs and spaces as its source: they are text."""
    lead = _LEAD.match(raw)
    match = _LEAD.match(part) if isinstance(part, str) else None
    return lead is not None and match is not None and lead[0] == match[0]


def _mark_written(source: InlineText, number: int, parts: list[str], starts: dict[InlineTag, int]) -> str:
    """A tag as Markdown; if the text of a link was its target's name and changed, its end gets the name."""
    tag = source.marks[number]
    if tag in source.labels:
        start, label = source.labels[tag]
        return tag.raw if "".join(parts[starts[start] :]) == label else f"][{label}]"
    return source.tags.get(number, tag.raw)


def _plain(text: str, is_escaped: bool, kind: str, line_start: bool) -> str:
    text = _ENTITY.sub(r"\\&", text)
    if is_escaped:
        text = _SPECIAL.sub(r"\\\1", text)
    elif kind == "cell":
        text = text.replace("|", "\\|")
    if kind == "quoted":
        text = text.replace('"', "'")
    if line_start and kind != "cell" and (match := _LINE_START.match(text)):
        at = match.end() if match[2].isdigit() else match.start(2)
        text = f"{text[:at]}\\{text[at:]}"
    return text
