"""Align the inline tags of a sentence with its translation."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from distilmt.inference.base import Span, WordAttention

_ALIKE = 0.75
_SURE = 0.5
_LONG = 2000
_MOST_WORDS = 200  # Every run of words is compared, so the time grows with the square of their number.


@dataclass
class TagSlot:
    """Position of an inline tag in a sentence and, if known, in the translation."""

    source: Span
    target: Span | None = None
    splits: bool = False
    """Whether it replaces a space."""


def find_span(content_translation: str, content: str, target: str, near: float) -> Span | None:
    """Find a part of a sentence in the sentence's translation, by text.

    Args:
        content_translation: separate translation of the part.
        content: the part itself; the span includes white space and punctuation as at its ends.
        target: the translation of the sentence.
        near: expected relative position in the translation, to choose among several occurrences.
    """
    bare = re.sub(r"^\W+|\W+$", "", content_translation) or content_translation.strip()
    if not bare or len(target) > _LONG:
        return None
    spans = _exact_spans(bare, target) or _similar_spans(bare, target)
    if not spans:
        return None
    start, end = min(spans, key=lambda span: abs(span[0] - near * len(target)))
    return _with_ends(start, end, content, target)


def _with_ends(start: int, end: int, content: str, target: str) -> Span:
    """Extend a span by the white space and punctuation that the source part has at its ends."""
    ends = r"\W*" if re.search(r"\w", target[start:end]) else r"\s*"
    before, behind = re.match(ends, content), re.search(f"{ends}$", content)
    for character in reversed(before[0] if before else ""):
        if start > 0 and _same(target[start - 1], character):
            start -= 1
    for character in behind[0] if behind else "":
        if end < len(target) and _same(target[end], character):
            end += 1
    return start, end


def align_by_attention(words: Sequence[WordAttention], part: Span, content: str, target: str) -> Span | None:
    """Find a part of a sentence in the sentence's translation, by attention.

    It is the run of words with the largest overlap with the part (Dice's coefficient). A word counts by the fraction of
    its attention on the part, with each token's weight divided by its total attention from all words: tokens with much
    attention from all words, such as the full stop, count little.

    Args:
        words: words of the translation, with their attention on each token of the sentence.
        part: span of the part in the sentence.
        content: the part itself, as for `find`.
        target: the translation.

    Returns:
        Its span; None if no run overlaps enough.
    """
    if len(words) > _MOST_WORDS:
        return None
    sums = [
        sum(column) or 1.0
        for column in zip(*([w for _, w in source_weights] for _, source_weights in words), strict=True)
    ]
    shares = [0.0]
    for _, source_weights in words:
        weights = [w * w / total for (_, w), total in zip(source_weights, sums, strict=True)]
        inside = sum(w for w, ((a, b), _) in zip(weights, source_weights, strict=True) if a < part[1] and b > part[0])
        shares.append(shares[-1] + inside / (sum(weights) or 1.0))
    runs = [(i, j) for j in range(1, len(shares)) for i in range(j)]
    common = {(i, j): 2 * (shares[j] - shares[i]) / (shares[-1] + j - i) for i, j in runs}
    first, last = max(runs, key=lambda run: common[run], default=(0, 0))
    if common.get((first, last), 0.0) < _SURE:
        return None
    start, end = words[first][0][0], words[last - 1][0][1]
    bare = re.search(r"\w.*\w|\w", target[start:end])
    return _with_ends(start + bare.start(), start + bare.end(), content, target) if bare else None


def _same(one: str, other: str) -> bool:
    return not one.isalnum() and one.isspace() == other.isspace()


def _exact_spans(bare: str, target: str) -> list[Span]:
    spaced = bare.isascii() or " " in target
    edges = (r"(?<!\w)", r"(?!\w)") if spaced and re.search(r"\w", bare) else ("", "")
    return [m.span() for m in re.finditer(edges[0] + re.escape(bare) + edges[1], target, re.IGNORECASE)]


def _similar_spans(bare: str, target: str) -> list[Span]:
    """The most similar run of words, for another ending or article."""
    words, count = [m.span() for m in re.finditer(r"\w+", target)], len(re.findall(r"\w+", bare))
    if not 0 < count <= len(words) <= 100:
        return []
    spans = [
        (a[0], b[1]) for n in {max(1, count - 1), count, count + 1} for a, b in zip(words, words[n - 1 :], strict=False)
    ]
    matcher = SequenceMatcher(b=bare.lower(), autojunk=False)
    scored = []
    for span in spans:
        matcher.set_seq1(target[span[0] : span[1]].lower())
        if matcher.real_quick_ratio() >= _ALIKE and (ratio := matcher.ratio()) >= _ALIKE:
            scored.append((ratio, span))
    return [max(scored)[1]] if scored else []


class _CutPositions:
    """Positions where tags may split a translation. All lists are sorted for fast lookup."""

    def __init__(self, source: str, target: str, blocked: Sequence[Span]) -> None:
        self.within = {i for a, b in blocked for i in range(a + 1, b)}
        covered = self.within | {a for a, b in blocked if a < b}
        every_space = [i for i, character in enumerate(target) if character == " "]
        self.spaces = [i for i in every_space if i not in covered]
        self.edges = sorted({i for space in every_space for i in (space, space + 1)} - self.within)
        self.inner = [i for i in range(1, len(target)) if i not in self.within]
        pairs = zip(source, target, strict=False)
        self.alike = next(
            (i for i, (a, b) in enumerate(pairs) if a.lower() != b.lower()), min(len(source), len(target))
        )


def place_tags(source: str, target: str, slots: Sequence[TagSlot], blocked: Sequence[Span]) -> list[Span] | None:
    """Positions of all tags in the translation, in the order of the sentence.

    Unknown positions are interpolated between their neighbors: at a word's end, or at a space for line breaks.
    None if the known ones are in another order, or there is not enough room.

    Args:
        source: the sentence.
        target: its translation.
        slots: the tags, in order.
        blocked: spans that must not be split.
    """
    if not slots:
        return []
    anchor_spans = [(0, 0), *((s.target) for s in slots if s.target), (len(target), len(target))]
    if any(a[1] > b[0] for a, b in pairwise(anchor_spans)):
        return None
    cut_positions = _CutPositions(source, target, blocked)
    if any(s.target[0] in cut_positions.within or s.target[1] in cut_positions.within for s in slots if s.target):
        return None
    next_anchors = _next_anchors(slots, TagSlot((len(source), len(source)), (len(target), len(target))))
    spans: list[Span] = []
    last: TagSlot = TagSlot((0, 0), (0, 0))
    for slot, (next_anchor, reserved_count) in zip(slots, next_anchors, strict=True):
        low = spans[-1][1] if spans else 0
        chosen = slot.target or _proportional(cut_positions, slot, (last.source[1], low), next_anchor, reserved_count)
        if chosen is None or chosen[0] < low:
            return None
        spans.append(chosen)
        last = slot
    return spans


def _next_anchors(slots: Sequence[TagSlot], end: TagSlot) -> list[tuple[TagSlot, int]]:
    """For every tag the next one with a known position, and how many between need their own space."""
    result: list[tuple[TagSlot, int]] = []
    anchor, reserved_count = end, 0
    for slot in reversed(slots):
        result.append((anchor, reserved_count))
        anchor, reserved_count = (slot, 0) if slot.target else (anchor, reserved_count + slot.splits)
    return result[::-1]


def _proportional(
    cut_positions: _CutPositions, slot: TagSlot, before: Span, next_anchor: TagSlot, reserved_count: int
) -> Span | None:
    """A position between `before` (end of the last tag, in sentence and translation) and the next known one.

    `reserved_count` spaces are reserved for the line breaks between them.
    """
    low, high = before[1], next_anchor.target[0] if next_anchor.target else 0
    share = (slot.source[0] - before[0]) / max(1, next_anchor.source[0] - before[0])
    ideal = low + share * (high - low)
    if not slot.splits:
        options = [low, high, _nearest(cut_positions.edges, ideal, low, high, 0)]
        if slot.source[0] <= cut_positions.alike:
            options.append(slot.source[0])  # inside an unchanged word
        free = [i for i in options if i is not None and low <= i <= high and i not in cut_positions.within]
        chosen = min(free, key=lambda i: abs(i - ideal), default=None)
        return None if chosen is None else (chosen, chosen)
    space = _nearest(cut_positions.spaces, ideal, low, high - 1, reserved_count)
    if space is not None:
        return space, space + 1
    if bisect_left(cut_positions.spaces, low) < bisect_left(cut_positions.spaces, high):
        return None
    inner = _nearest(cut_positions.inner, ideal, low + 1, high - 1, reserved_count)
    return None if inner is None else (inner, inner)


def _nearest(options: Sequence[int], ideal: float, low: int, high: int, reserved_count: int) -> int | None:
    """The option nearest to `ideal` from `low` to `high`, without the last `reserved_count` ones there."""
    first, end = bisect_left(options, low), bisect_right(options, high) - reserved_count
    if first >= end:
        return None
    at = bisect_left(options, ideal, first, end)
    return min(options[max(first, at - 1) : min(end, at + 1)], key=lambda i: abs(i - ideal))
