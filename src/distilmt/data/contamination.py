"""Faults of a source of sentence pairs that cleaning does not see in a single pair: counted before training.

The first pairs of a source are inspected, and then blocks of consecutive pairs at equal distances, so that the time and
memory for a large corpus are bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypedDict

from distilmt.data.cleaning import EXAMPLE_CHARS, EXAMPLES, key
from distilmt.data.language_evidence import LanguageEvidence, LanguageSample
from distilmt.data.line_shift import ShiftDetector, ShiftedLines
from distilmt.data.mojibake import repaired
from distilmt.data.pairs import Pair

_WHOLE, _BLOCK, _PERIOD, _MOST = 10_000, 1_000, 50_000, 300_000
"""Pairs inspected from the start, then in a block, every so many pairs, and in all."""
_LONG = 2000
"""Characters that are inspected of a text."""
_FEWEST_SOURCES = 20
"""A target is near-constant from so many distinct sources on, and from the share below."""
_CONSTANT_SHARE = 0.01
_FEWEST_PAIRS = 3
"""A finding has at least so many pairs, and the share below."""
_FINDING_SHARE = 0.005


class PairCount(TypedDict):
    """Pairs with a fault; examples have `line`, `source` and `target`."""

    count: int
    share: float
    examples: list[dict[str, object]]


class ConstantTarget(TypedDict):
    """A target of many distinct sources; `share` is of the inspected pairs."""

    target: str
    sources: int
    share: float


class Contamination(TypedDict):
    """Faults of one source; `languages` is by side, null where it was not identified."""

    inspected: int
    mojibake: PairCount
    copies: PairCount
    constant_targets: list[ConstantTarget]
    shifted: list[ShiftedLines]
    languages: dict[str, LanguageEvidence | None]


@dataclass
class _Tally:
    count: int = 0
    examples: list[dict[str, object]] = field(default_factory=list)

    def add(self, pair: Pair, **more: object) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            source, target = pair.source[:EXAMPLE_CHARS], pair.target[:EXAMPLE_CHARS]
            self.examples.append({"line": pair.line, "source": source, "target": target, **more})

    def of(self, inspected: int) -> PairCount:
        return PairCount(count=self.count, share=self.count / max(1, inspected), examples=self.examples)


class Inspector:
    """Inspects the pairs of one source in the order in which they are read, before any is dropped."""

    def __init__(self, languages: tuple[str, str] | None = None, monolingual: bool = False) -> None:
        """Prepare; `languages` are the codes of both sides to compare with, None does not identify them."""
        self._monolingual = monolingual
        self._read = self._inspected = 0
        self._mojibake, self._copies = _Tally(), _Tally()
        self._shift = ShiftDetector()
        self._combinations: set[int] = set()
        self._sources_of: Counter[int] = Counter()
        self._texts: dict[int, str] = {}
        sides = languages[:1] if languages and monolingual else languages or ()
        self._samples = [LanguageSample(code) for code in sides]

    def watch(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """The same pairs; some of them are inspected."""
        for pair in pairs:
            if self._takes_next():
                self._inspect(pair)
            yield pair

    def _takes_next(self) -> bool:
        place = self._read % _PERIOD
        self._read += 1
        if self._inspected < _WHOLE:
            return True
        if place == _BLOCK:
            self._shift.end_block()
        return place < _BLOCK and self._inspected < _MOST

    def _inspect(self, pair: Pair) -> None:
        self._inspected += 1
        pair = pair._replace(source=pair.source[:_LONG], target=pair.target[:_LONG])
        original = next(filter(None, map(repaired, (pair.source, pair.target))), None)
        if original is not None:
            self._mojibake.add(pair, repaired=original[:EXAMPLE_CHARS])
        for sample, text in zip(self._samples, (pair.source, pair.target), strict=False):
            sample.add(text)
        if self._monolingual:
            return
        self._shift.add(pair)
        source, target = key(pair.source), key(pair.target)
        if source == target and any(map(str.isalpha, source)):
            self._copies.add(pair)
        self._count_target(source, target, pair.target)

    def _count_target(self, source: str, target: str, text: str) -> None:
        number, combination = hash(target), hash((source, target))
        if target and combination not in self._combinations:
            self._combinations.add(combination)
            self._sources_of[number] += 1
            if self._sources_of[number] == _FEWEST_SOURCES:
                self._texts[number] = text[:EXAMPLE_CHARS]

    def contamination(self) -> Contamination:
        """The faults of the inspected pairs."""
        self._shift.end_block()
        languages = [sample.evidence() for sample in self._samples]
        return Contamination(
            inspected=self._inspected,
            mojibake=self._mojibake.of(self._inspected),
            copies=self._copies.of(self._inspected),
            constant_targets=self._constant_targets(),
            shifted=self._shift.ranges,
            languages=dict(zip(("source", "target"), languages, strict=False)),
        )

    def _constant_targets(self) -> list[ConstantTarget]:
        often = [number for number, count in self._sources_of.most_common(EXAMPLES) if number in self._texts]
        return [
            ConstantTarget(target=self._texts[number], sources=count, share=share)
            for number in often
            if (count := self._sources_of[number]) and (share := count / max(1, self._inspected)) >= _CONSTANT_SHARE
        ]


def is_finding(count: PairCount) -> bool:
    """Whether pairs with a fault are more than a few."""
    return count["count"] >= _FEWEST_PAIRS and count["share"] >= _FINDING_SHARE


def findings(contamination: Contamination) -> list[str]:
    """The faults worth a look, one clause each, with the figures."""
    clauses = []
    for name, words in (("mojibake", "decoded with a wrong encoding"), ("copies", "copied from the source")):
        count: PairCount = contamination[name]  # type: ignore[literal-required]
        if is_finding(count):
            line = count["examples"][0]["line"]
            clauses.append(f"{100 * count['share']:.1f} % of the pairs are {words} (first: line {line})")
    for target in contamination["constant_targets"]:
        shown = target["target"][:60]
        clauses.append(f"{target['sources']:,} distinct sources have the same target {shown!r}")
    for lines in contamination["shifted"]:
        where = f"lines {lines['first_line']:,} to {lines['last_line']:,}"
        distance = f"{abs(lines['offset'])} line{'s' if abs(lines['offset']) > 1 else ''}"
        direction = "later" if lines["offset"] > 0 else "earlier"
        clauses.append(f"the sources of {where} fit to the targets {distance} {direction}")
    for side, evidence in contamination["languages"].items():
        if evidence and evidence["others"]:
            others = ", ".join(f"{code} {100 * share:.0f} %" for code, share in evidence["others"].items())
            clauses.append(f"the {side} side, which should be {evidence['expected']}, has texts in {others}")
    return clauses
