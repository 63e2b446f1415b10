"""Words split by tags: they are translated whole, with the tags around the whole word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distilmt.data.cleaning import unspaced_count
from distilmt.documents.segments import InlineTag, tag_pairs

_ELEMENT = re.compile(r"</?([A-Za-z][^\s/>]*)")
# Other tags are not parts of a word: indices, ruby, pictures.
_STYLED_NAMES = "a abbr b bdi bdo big cite del dfn em font i ins mark q s small span strike strong tt u wbr"
_STYLED = frozenset(_STYLED_NAMES.split())
_LETTERS = re.compile(r"[^\W\d_]+")
_INITIAL = 2  # Longer adjacent parts, as in `<a>home</a><a>about</a>`, are separate words.


def merge_split_words(items: Sequence[InlineTag | str]) -> list[InlineTag | str]:
    """Move tags inside a word around it, in a list of texts and tags.

    Args:
        items: texts and tags; texts are raw, so an entity is not part of a word.
    """
    parts = [item for item in items if item != ""]
    result: list[InlineTag | str] = []
    at = 0
    while at < len(parts):
        end = at
        while (following := _next_part(parts, end, end == at)) is not None:
            end = following
        if end == at:
            result.append(parts[at])
            at += 1
            continue
        first, last = str(parts[at]), str(parts[end])
        head, tail = _tail(first), _LETTERS.match(last)
        cut = tail.end() if tail else 0
        opened = _popped(result) if head == 0 else []
        word = [*opened, first[head:], *parts[at + 1 : end], last[:cut]]
        at, parts[end] = end, last[cut:]
        while parts[at] == "" and at + 1 < len(parts) and _is_styled(parts[at + 1], "close"):
            word.append(parts[at + 1])
            at += 1
            parts[at] = ""
        result += [first[:head], *_around(word)]
    return [item for item in result if item != ""]


def _popped(items: list[InlineTag | str]) -> list[InlineTag | str]:
    """Remove the opening tags at the end of a list and return them."""
    start = len(items)
    while start and _is_styled(items[start - 1], "open"):
        start -= 1
    popped = items[start:]
    del items[start:]
    return popped


def _tail(text: str) -> int:
    """Start of the letters at a text's end."""
    at = len(text)
    while at > 0 and text[at - 1].isalpha():
        at -= 1
    return at


def _next_part(items: Sequence[InlineTag | str], at: int, is_first: bool) -> int | None:
    """The number of the text after tags that continues the word at the end of the text at `at`."""
    text = items[at]
    if not isinstance(text, str) or not text[-1:].isalpha() or unspaced_count(text[-1:]):
        return None
    if not is_first and not _LETTERS.fullmatch(text):
        return None
    end = at + 1
    while end < len(items) and _is_styled(items[end], "open", "close", "point"):
        end += 1
    behind = items[end] if end < len(items) else None
    if end == at + 1 or not isinstance(behind, str) or not behind[:1].islower() or unspaced_count(behind[:1]):
        return None
    kinds = [tag.kind for tag in items[at + 1 : end] if isinstance(tag, InlineTag)]
    part = _LETTERS.match(behind)
    if "open" in kinds and "close" in kinds and part and min(len(text) - _tail(text), part.end()) > _INITIAL:
        return None
    return end


def _is_styled(item: InlineTag | str, *kinds: str) -> bool:
    if isinstance(item, str) or item.kind not in kinds:
        return False
    match = _ELEMENT.match(item.raw)
    return bool(match and match[1].lower() in _STYLED)


def _around(parts: Sequence[InlineTag | str]) -> list[InlineTag | str]:
    """A word from its parts, with its tags around it. Pairs of tags stay pairs."""
    pairs = tag_pairs(parts)
    closed = set(pairs.values())
    before = [p for i, p in enumerate(parts) if isinstance(p, InlineTag) and p.kind != "close" and i not in pairs]
    outside = [p for i, p in enumerate(parts) if isinstance(p, InlineTag) and p.kind == "close" and i not in closed]
    opening = [parts[i] for i in sorted(pairs)]
    closing = [parts[pairs[i]] for i in sorted(pairs, reverse=True)]
    return [*before, *opening, "".join(p for p in parts if isinstance(p, str)), *closing, *outside]
