"""What somebody wants kept besides placeholders: regular expressions of `--keep`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from distilmt.utils.errors import UserError

_SECONDS = 2.0  # for one pattern on one text


@dataclass(frozen=True)
class KeepPatterns:
    """Patterns whose matches stand in a translation as they stood."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, patterns: Sequence[str], name: str = "--keep") -> KeepPatterns:
        """Check patterns before anything is translated.

        Args:
            patterns: in Python's syntax.
            name: of the flag or key that they come from.

        Raises:
            UserError: one of them is no regular expression, or it matches the empty text.
        """
        for pattern in patterns:
            try:
                empty = _compiled(pattern).search("")
            except Exception as error:  # the library raises several kinds for one reason or another
                reason = " ".join(str(error).split())[:150] or type(error).__name__
                raise UserError(f"{name} {pattern!r} is no regular expression ({reason}): mend it") from None
            if empty:
                raise UserError(f"{name} {pattern!r} matches nothing at all: name at least one character")
        return cls(tuple(patterns))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where matches stand, in order; of two that overlap the one that begins first.

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
def _compiled(pattern: str) -> Any:
    import regex  # has a time limit, which the standard library lacks

    return regex.compile(pattern)
