"""Where the marks of a sentence belong in its translation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from distilmt.speaker import Attended, Span

_ALIKE = 0.75
_SURE = 0.5
_LONG = 2000


@dataclass
class Stop:
    """A mark by its place in a sentence and, where that is known, in the translation."""

    source: Span
    target: Span | None = None
    splits: bool = False
    """Whether it takes the place of a space."""


def find(said: str, content: str, target: str, near: float) -> Span | None:
    """Where a part of a sentence stands in the sentence's translation.

    Args:
        said: the part's own translation.
        content: the part itself; white space and punctuation at its ends are taken along.
        target: the translation of the sentence.
        near: share of the translation before which the part is looked for, where it is there more than once.
    """
    bare = re.sub(r"^\W+|\W+$", "", said) or said.strip()
    if not bare or len(target) > _LONG:
        return None
    spans = _literal(bare, target) or _alike(bare, target)
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


def attended(words: Sequence[Attended], part: Span, content: str, target: str) -> Span | None:
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
    sums = [sum(column) or 1.0 for column in zip(*([w for _, w in pieces] for _, pieces in words), strict=True)]
    shares = [0.0]
    for _, pieces in words:
        weights = [w * w / total for (_, w), total in zip(pieces, sums, strict=True)]
        inside = sum(w for w, ((a, b), _) in zip(weights, pieces, strict=True) if a < part[1] and b > part[0])
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


def _literal(bare: str, target: str) -> list[Span]:
    spaced = bare.isascii() or " " in target
    edges = (r"(?<!\w)", r"(?!\w)") if spaced and re.search(r"\w", bare) else ("", "")
    return [m.span() for m in re.finditer(edges[0] + re.escape(bare) + edges[1], target, re.IGNORECASE)]


def _alike(bare: str, target: str) -> list[Span]:
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


def place(source: str, target: str, stops: Sequence[Stop], blocked: Sequence[Span]) -> list[Span] | None:
    """Places of all stops in the translation, in the order of the sentence.

    Those whose place is not known get the one in proportion to their neighbours: a word's end, or a space if they
    split. None if the known ones stand in another order, or there is no room.

    Args:
        source: the sentence.
        target: its translation.
        stops: the marks, in order.
        blocked: what may not be cut.
    """
    known = [(0, 0), *((s.target) for s in stops if s.target), (len(target), len(target))]
    if any(a[1] > b[0] for a, b in pairwise(known)):
        return None
    if any(
        a < s.target[0] < b or a < s.target[1] < b for s in stops if s.target for a, b in blocked if s.target != (a, b)
    ):
        return None
    found: list[Span] = []
    at = 0
    for number, stop in enumerate(stops):
        chosen = stop.target or _proportional(
            source, target, stops[number:], found[-1:], stops[number - 1 : number], blocked
        )
        if chosen is None or chosen[0] < at:
            return None
        found.append(chosen)
        at = chosen[1]
    return found


def _proportional(
    source: str, target: str, stops: Sequence[Stop], last: list[Span], before: Sequence[Stop], blocked: Sequence[Span]
) -> Span | None:
    """A place for the first of `stops`, between the one before and the next that is known."""
    stop, rest = stops[0], [s for s in stops[1:]]
    ahead = next((s for s in rest if s.target), None)
    unknown = next((i for i, s in enumerate(rest) if s.target), len(rest))
    low = last[0][1] if last else 0
    high = ahead.target[0] if ahead and ahead.target else len(target)
    source_low = before[0].source[1] if before else 0
    source_high = ahead.source[0] if ahead else len(source)
    share = (stop.source[0] - source_low) / max(1, source_high - source_low)
    wanted = low + share * (high - low)
    if not stop.splits:
        ends = [low, high, *(i for i in range(low, high) if target[i] == " ")]
        ends += [i + 1 for i in ends if i < high and target[i : i + 1] == " "]
        if target[: stop.source[0]].lower() == source[: stop.source[0]].lower():
            ends.append(stop.source[0])  # inside a word that stays
        free = [i for i in ends if low <= i <= high and not any(a < i < b for a, b in blocked)]
        chosen = min(free, key=lambda i: abs(i - wanted), default=None)
        return None if chosen is None else (chosen, chosen)
    # Every later line break needs a space of its own.
    later = sum(s.splits for s in rest[:unknown])
    spaces = [i for i in range(low, high) if target[i] == " " and not any(a <= i < b for a, b in blocked)]
    if len(spaces) > later:
        chosen = min(spaces[: len(spaces) - later], key=lambda i: abs(i - wanted))
        return chosen, chosen + 1
    free = [i for i in range(low + 1, high) if not any(a < i < b for a, b in blocked)]
    if len(free) <= later or spaces:
        return None
    chosen = min(free[: len(free) - later], key=lambda i: abs(i - wanted))
    return chosen, chosen
