"""Where the marks of a sentence belong in its translation."""

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
_MOST_WORDS = 200  # Every run of words is compared, so that time grows with the square of their number.


@dataclass
class TagSlot:
    """A mark by its place in a sentence and, where that is known, in the translation."""

    source: Span
    target: Span | None = None
    splits: bool = False
    """Whether it takes the place of a space."""


def find_span(content_translation: str, content: str, target: str, near: float) -> Span | None:
    """Where a part of a sentence stands in the sentence's translation.

    Args:
        content_translation: the part's own translation.
        content: the part itself; white space and punctuation at its ends are taken along.
        target: the translation of the sentence.
        near: share of the translation before which the part is looked for, where it is there more than once.
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
    """A place with the white space and punctuation around it that the part of the source has at its ends."""
    ends = r"\W*" if re.search(r"\w", target[start:end]) else r"\s*"
    before, behind = re.match(ends, content), re.search(f"{ends}$", content)
    for character in reversed(before[0] if before else ""):
        start -= start > 0 and _same(target[start - 1], character)
    for character in behind[0] if behind else "":
        end += end < len(target) and _same(target[end], character)
    return start, end


def align_by_attention(words: Sequence[WordAttention], part: Span, content: str, target: str) -> Span | None:
    """Where a part of a sentence stands in the sentence's translation, by what the translation's words attended to.

    It is the run of words that has most in common with the part (Dice's coefficient). A word counts by the share of its
    attention that is on the part, each piece's weight divided by what all words together give to it: pieces that many
    words attend to, such as the full stop, tell little.

    Args:
        words: of the translation, with the attention on each piece of the sentence.
        part: its place in the sentence.
        content: the part itself, as for `find`.
        target: the translation.

    Returns:
        Its place; None if no run has enough in common with it.
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
    """The words most like those looked for: another ending, another article."""
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
    """Where a translation may be cut. All lists are in order, so that a place is looked up and not searched for."""

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
    """Places of all stops in the translation, in the order of the sentence.

    Those whose place is not known get the one in proportion to their neighbors: a word's end, or a space if they
    split. None if the known ones stand in another order, or there is no room.

    Args:
        source: the sentence.
        target: its translation.
        slots: the marks, in order.
        blocked: what may not be cut.
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
    """For every stop the next one whose place is known, and how many between need a space of their own."""
    result: list[tuple[TagSlot, int]] = []
    anchor, reserved_count = end, 0
    for slot in reversed(slots):
        result.append((anchor, reserved_count))
        anchor, reserved_count = (slot, 0) if slot.target else (anchor, reserved_count + slot.splits)
    return result[::-1]


def _proportional(
    cut_positions: _CutPositions, slot: TagSlot, before: Span, next_anchor: TagSlot, reserved_count: int
) -> Span | None:
    """A place between `before` (where the last stop ends, in sentence and translation) and the next that is known.

    `reserved_count` spaces are left for the line breaks that come between.
    """
    low, high = before[1], next_anchor.target[0] if next_anchor.target else 0
    share = (slot.source[0] - before[0]) / max(1, next_anchor.source[0] - before[0])
    ideal = low + share * (high - low)
    if not slot.splits:
        options = [low, high, _nearest(cut_positions.edges, ideal, low, high, 0)]
        if slot.source[0] <= cut_positions.alike:
            options.append(slot.source[0])  # inside a word that stays
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
    """What is nearest to `ideal` from `low` to `high`, but for the last `reserved_count` ones there."""
    first, end = bisect_left(options, low), bisect_right(options, high) - reserved_count
    if first >= end:
        return None
    at = bisect_left(options, ideal, first, end)
    return min(options[max(first, at - 1) : min(end, at + 1)], key=lambda i: abs(i - ideal))
