"""Spans to copy unchanged besides placeholders: the regular expressions of `--keep`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from regex import Pattern

_SECONDS = 2.0  # maximum time of one pattern on one text


@dataclass(frozen=True)
class KeepPatterns:
    """Patterns whose matches are copied unchanged into the translation."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, patterns: Sequence[str], name: str = "--keep") -> KeepPatterns:
        """Check patterns before anything is translated.

        Args:
            patterns: regular expressions in Python's syntax.
            name: name of their flag or key.

        Raises:
            UserError: a pattern is not a valid regular expression, or it matches the empty text.
        """
        for pattern in patterns:
            try:
                empty = _compiled(pattern).search("")
            except Exception as error:  # the library raises various exceptions
                reason = " ".join(str(error).split())[:150] or type(error).__name__
                raise UserError(f"{name} {pattern!r} is not a regular expression ({reason}): fix it") from None
            if empty:
                raise UserError(f"{name} {pattern!r} matches the empty text: change it to match at least one character")
        return cls(tuple(patterns))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Spans of matches, in order; of two overlapping matches the one that begins first.

        Raises:
            UserError: a pattern takes too long.
        """
        matches: list[tuple[int, int]] = []
        for pattern in self.patterns:
            try:
                matches += [match.span() for match in _compiled(pattern).finditer(text, timeout=_SECONDS)]
            except TimeoutError:
                raise UserError(
                    f"keep {pattern!r} takes over {_SECONDS:.0f} s on one text: write it without nested repeats"
                ) from None
        spans: list[tuple[int, int]] = []
        for start, end in sorted(matches, key=lambda span: (span[0], -span[1])):
            if start < end and (not spans or start >= spans[-1][1]):
                spans.append((start, end))
        return spans


@cache
def _compiled(pattern: str) -> Pattern[str]:
    import regex  # supports a time limit, which `re` does not

    return regex.compile(pattern)
