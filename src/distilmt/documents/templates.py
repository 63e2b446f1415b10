"""Template expressions and shortcodes (Jinja, Liquid, Handlebars, Hugo, ERB, PHP): masked while a text is parsed.

A mask is a few characters that the text does not have. A parser (markdown-it, the HTML tokenizer) thus reads an
expression of any length, with quotation marks and angle brackets, as one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from distilmt.utils.errors import UserError

# The longer ones first.
_CLOSERS = {
    "{{<": ">}}",
    "{{%": "%}}",
    "{{!--": "--}}",
    "{{{": "}}}",
    "{{": "}}",
    "{%": "%}",
    "{# ": "#}",
    "<%": "%>",
    "<?php": "?>",
    "<?=": "?>",
    "[%": "%]",
}
_OPENER = re.compile("|".join(re.escape(opener) for opener in _CLOSERS))
# These produce no text: conditions, loops, comments, fragments of MDX, the end of a directive's caption.
_STATEMENT = re.compile(
    r"\{%|\{#|\{\{[#/!^>%]|\{\{\s*(?:else|end|if|range|with|define|template|block)\b|<%(?!=)|<\?php|\[%|</?>|\]"
)
_BLANK_LINE = re.compile(r"\n[ \t>]*\r?\n")
_SHOWN = 40  # Longer expressions are not shown to a model, since models do not copy them.
# Code and comments between two statements, invisible to readers.
_UNSEEN = re.compile(r"\{%-?\s*(comment|schema|javascript|stylesheet|style|doc)\b")
_PRIVATE = (*range(0xE000, 0xF8F0, 16), *range(0xF0000, 0xFFFF0, 16))


def expressions(text: str, paragraphs: bool = False) -> list[tuple[int, int]]:
    """Spans of the template expressions of a text, with delimiters, in order and not nested.

    Args:
        text: possibly untrusted text; the time is linear in its length.
        paragraphs: a blank line ends an unclosed expression, and a delimiter between backticks is code.
    """
    closers = dict.fromkeys(_CLOSERS.values(), -1)
    lost: set[str] = set()  # names of statements without an end in the rest of the text
    spans: list[tuple[int, int]] = []
    at = 0
    while match := _OPENER.search(text, at):
        at = match.end()
        if paragraphs and text[match.start() - 1 : match.start()] == "`" == text[at : at + 1]:
            continue
        end = _end(text, match[0], at, closers)
        if end < 0 or (paragraphs and _BLANK_LINE.search(text, at, end)):
            continue
        if match[0] == "{%" and (unseen := _UNSEEN.match(text, match.start())):
            end = _unseen_end(text, unseen[1], end, lost)
        start = match.start() - (text[match.start() - 1 : match.start()] in ("$", "#") and match[0] == "{{")
        spans.append((start, end))
        at = end
    return spans


def _unseen_end(text: str, name: str, end: int, lost: set[str]) -> int:
    """End of a comment whose opening statement ends at `end`; `end` if it is not closed."""
    closing = None if name in lost else re.compile(rf"\{{%-?\s{{0,99}}end{name}\s{{0,99}}-?%\}}").search(text, end)
    if closing is None:
        lost.add(name)
    return closing.end() if closing else end


def _end(text: str, opener: str, at: int, closers: dict[str, int]) -> int:
    """End of the expression that begins before `at`; -1 if it is not closed, or another begins first."""
    closer = _CLOSERS[opener]
    for _ in range(8):
        if closers[closer] < at:
            # If there is none, the end of the text, so that the search is not repeated.
            position = text.find(closer, at)
            closers[closer] = position if position >= 0 else len(text)
        end = closers[closer]
        if end == len(text) or text.find(opener, at, end) >= 0:
            return -1
        while closer == "}}" and text[end + 2 : end + 3] == "}":
            end += 1
        if closer != "}}" or text.count("{", at, end) <= text.count("}", at, end):
            return end + len(closer)
        at = end + 2  # a brace inside is open: `{{ {"a": {"b": 1}} }}`
    return -1


@dataclass
class MaskedText:
    """A text with masked expressions."""

    text: str
    originals: list[str] = field(default_factory=list)
    base: int = _PRIVATE[0]

    def __post_init__(self) -> None:
        digits = "".join(map(chr, range(self.base, self.base + 10)))
        self._digits = str.maketrans("0123456789", digits)
        self._numbers = str.maketrans(digits, "0123456789")
        begin, line, end = (chr(self.base + i) for i in (10, 11, 12))
        self._edges = begin, line, end
        self._any = re.compile(f"[{begin}{line}][^{end}]*{end}")
        self._line = re.compile(f"(?:<\\?|# |!!! ){line}([{digits}]+){end}(?:\\?>)?|{begin}([{digits}]+){end}")

    def mask(self, original: str) -> str:
        """A mask for inline content."""
        self.originals.append(original)
        return f"{self._edges[0]}{self._number()}{self._edges[2]}"

    def block(self, original: str) -> str:
        """A mask that Markdown parses as an HTML block, so that it ends a paragraph and has no text."""
        self.originals.append(original)
        return f"<?{self._edges[1]}{self._number()}{self._edges[2]}?>"

    def heading(self, original: str) -> str:
        """A mask after which Markdown parses the rest of the line as a heading, a separate text."""
        self.originals.append(original)
        return f"# {self._edges[1]}{self._number()}{self._edges[2]}"

    def admonition(self, original: str) -> str:
        """A mask after which Markdown parses indented lines as the content of a box."""
        self.originals.append(original)
        return f"!!! {self._edges[1]}{self._number()}{self._edges[2]}"

    def numbers(self, text: str) -> Iterator[int]:
        """Numbers of the masks in a text, including those nested in their originals."""
        for match in self._any.finditer(text):
            number = int(match[0][1:-1].translate(self._numbers))
            yield number
            yield from self.numbers(self.originals[number])

    def has_masks(self, text: str) -> bool:
        """Whether a text has masks."""
        return self._edges[2] in text

    def _number(self) -> str:
        return str(len(self.originals) - 1).translate(self._digits)

    def _original(self, match: re.Match[str]) -> str:
        number = match[1] or match[2]
        return self.restored(self.originals[int(number.translate(self._numbers))])

    def restored(self, text: str) -> str:
        """Replace the masks of a text by their originals."""
        return self._line.sub(self._original, text) if self.originals else text

    def is_masks(self, text: str) -> bool:
        """Whether a text has only masks and white space."""
        return not self._line.sub("", text).strip()

    def parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """A text as alternating text and masks, including the masks of headings."""
        end = 0
        for match in self._any.finditer(text):
            yield text[end : match.start()], False
            yield match[0], True
            end = match.end()
        yield text[end:], False

    def shown(self, mask: str) -> str:
        """The model input for a mask: its original if that is short."""
        original = self.restored(mask)
        return original if len(original) <= _SHOWN and "\n" not in original else "X"

    def is_statement(self, mask: str) -> bool:
        """Whether the original of a mask produces no text, such as a condition."""
        return self._edges[1] in mask or bool(_STATEMENT.match(self.restored(mask)))


def empty_masks(text: str) -> MaskedText:
    """Masks for a text, with characters of a range that it does not use.

    Raises:
        UserError: there is no unused range.
    """
    used = {ord(character) >> 4 for character in set(text)}
    base = next((base for base in _PRIVATE if base >> 4 not in used), None)
    if base is None:
        raise UserError("it uses all private-use characters: remove some")
    return MaskedText(text, [], base)


def mask_spans(text: str, spans: Sequence[tuple[int, int]]) -> MaskedText:
    """A text with masks at these spans, which are sorted and do not overlap."""
    masks = empty_masks(text)
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        parts += [text[end:start], masks.mask(text[start:stop])]
        end = stop
    masks.text = "".join([*parts, text[end:]])
    return masks
