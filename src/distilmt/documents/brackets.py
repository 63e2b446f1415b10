"""Find the ends of brackets and template code. Each text is scanned once, regardless of its number of openers."""

from __future__ import annotations

import re
from functools import cached_property

_TOKEN = re.compile(r"[{}()]")
_PARTNER = {"}": "{", ")": "("}
_TEMPLATE = {"{{": "}}", "{%": "%}", "{#": "#}", "<%": "%>", "<?": "?>"}
# A quotation mark after a letter is an apostrophe.
_QUOTED = re.compile(r"(?<!\w)(?:\"(?:[^\"\\\n]|\\.)*(\")?|'(?:[^'\\\n]|\\.)*(')?)")
_QUOTES = 4  # closers inside quotation marks to skip


class Brackets:
    """The brackets of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}  # position of the next closer of a kind, -1 if there is none

    def match(self, at: int) -> int | None:
        """Position after the bracket that closes the one at `at`; None if there is none."""
        return self._matches.get(at)

    @cached_property
    def _matches(self) -> dict[int, int]:
        """Ends of the matching brackets of `{` and `(`. An unmatched closer is ignored."""
        matches: dict[int, int] = {}
        opened: dict[str, list[int]] = {"{": [], "(": []}
        for token in _TOKEN.finditer(self._text):
            if token[0] in opened:
                opened[token[0]].append(token.start())
            elif opened[_PARTNER[token[0]]]:
                matches[opened[_PARTNER[token[0]]].pop()] = token.end()
        return matches

    def until(self, closer: str, at: int) -> int | None:
        """Position after the next `closer` from `at` on. Calls must go from left to right."""
        if (position := self._next.get(closer, -2)) != -1 and position < at:
            position = self._next[closer] = self._text.find(closer, at)
        return None if position < 0 else position + len(closer)

    def template(self, begin: int, brace: int) -> int | None:
        """Position after template code such as `{{ x }}` or `<% x %>`; None if it has no end.

        Args:
            begin: its start, including a sign such as `$` before the brace.
            brace: position of its bracket.
        """
        opener = self._text[brace : brace + 2] if self._text[begin] != "<" else self._text[begin : begin + 2]
        start = begin if opener[0] == "<" else brace
        end = self._balanced(start) if opener == "{{" else None
        end = end or self.until(_TEMPLATE[opener], start + 2)
        for _ in range(_QUOTES):
            if end is None or (quote := self._open_quote(start + 2, end - 2)) is None:
                break
            end = self._behind_quote(quote, end, _TEMPLATE[opener]) or end
        while opener == "{{" and end is not None and self._text[end : end + 1] == "}":
            end += 1
        return end

    def _balanced(self, start: int) -> int | None:
        outer, inner = self.match(start), self.match(start + 1)
        return outer if outer is not None and inner is not None and outer == inner + 1 else None

    def _open_quote(self, start: int, end: int) -> str | None:
        """The quotation mark that is open at `end`."""
        for quoted in _QUOTED.finditer(self._text, start, end):
            if not (quoted[1] or quoted[2]):
                return quoted[0][0]
        return None

    def _behind_quote(self, quote: str, at: int, closer: str) -> int | None:
        """Position after the next closer that follows the next quotation mark on the line."""
        line_end = self._text.find("\n", at)
        tag = self._text.find(quote, at, at + 2000 if line_end < 0 else min(line_end, at + 2000))
        position = self._text.find(closer, tag + 1, tag + 2000) if tag >= 0 else -1
        return None if position < 0 else position + len(closer)
