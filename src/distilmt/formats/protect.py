"""What a translation must hold exactly as it stood: placeholders of programs, addresses, paths, code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Every part is anchored or bounded, so that no text, however made, takes more than linear time.
_PATTERN = re.compile(
    r"""
    (?P<address>
        \b(?:https?|ftp|file)://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]
      | \bwww\.[\w-]+\.[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]
      | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}
    )
  | (?P<ordered>                                                      # printf: what comes first is told by the order
        %(?:[-+\#0]{0,4}(?:\d{1,4}|\*)?(?:\.(?:\d{1,4}|\*))?(?:hh|h|ll|l|j|z|t|L|q)?[diouxXeEfFgGaAcspn@]|%)
    )
  | (?P<named>
        %(?:\(\w{1,64}\)|\d{1,3}\$)[-+\#0]{0,4}(?:\d{1,4})?(?:\.\d{1,4})?(?:hh|h|ll|l|z)?[diouxXeEfFgGcs@]
      | \$?\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]{0,99}\}){0,99}\}){0,99}\}
      | \$[A-Za-z_]\w{0,63}
    )
  | (?P<code>
        `[^`\n]{1,200}`
      | (?<![\w-])(?:--[A-Za-z][\w-]{0,63}|-[A-Za-z](?![\w-]))
      | (?<![\w.~/])(?:~|\.{1,2})?/[\w.~-]+(?:/[\w.~-]*)*(?<=\w)
    )
    """,
    re.VERBOSE,
)
_WORDS = ("ABC", "XYZ", "DQF", "KLM", "RST", "VWB", "GHP", "JNQ")


@dataclass(frozen=True, eq=False)
class Kept:
    """Something of a sentence that its translation holds once: what stands for it, and whether its order matters."""

    shown: str
    ordered: bool = True


def split(text: str) -> list[str | Kept]:
    """A text as what is translated and what is kept, in turn."""
    found: list[str | Kept] = []
    end = 0
    for match in _PATTERN.finditer(text):
        found += [text[end : match.start()], Kept(match[0], match.lastgroup == "ordered")]
        end = match.end()
    return [part for part in [*found, text[end:]] if part != ""]


def has_words(text: str) -> bool:
    """Whether there is anything to translate."""
    return any(isinstance(part, str) and any(c.isalpha() for c in part) for part in split(text))


def masks(kept: Sequence[Kept]) -> list[list[str]]:
    """Stand-ins for what is kept, several ways: no model copies all, so the next is tried where one gets lost."""
    if not kept:
        return [[]]
    ways = [[f"X{i}" for i in range(1, len(kept) + 1)]]
    if len(kept) <= len(_WORDS):
        ways.append(list(_WORDS[: len(kept)]))
    shown = [k.shown for k in kept]
    if len(set(shown)) == len(shown) and all(len(s) > 3 or not s.isalpha() for s in shown):
        ways.insert(0, shown)
    return ways


def positions(text: str, stand_ins: Sequence[str], kept: Sequence[Kept]) -> list[tuple[int, int]] | None:
    """Where each stand-in stands in a translation, or None if one is not there once, or the order is broken."""
    found = []
    for stand_in in stand_ins:
        # No letter or digit may touch one that it did not touch before: `X1` is not in `X12`.
        matches = list(re.finditer(rf"(?<!\w){re.escape(stand_in)}(?!\w)", text))
        if len(matches) != 1 or text.count(stand_in) != 1:
            return None
        found.append(matches[0].span())
    ordered = [place for place, k in zip(found, kept, strict=True) if k.ordered]
    apart = sorted(found)
    touching = any(a[1] > b[0] for a, b in pairwise(apart))
    return None if ordered != sorted(ordered) or touching else found
