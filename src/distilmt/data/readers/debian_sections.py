"""Texts with one of ten labels: descriptions of Debian packages, with their archive sections.

A section gives the purpose of a package (`games`, `science`) or its technology (`libs`, `python`); the ten most
frequent of the first kind are used. Maintainers choose them, and their meanings overlap.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from distilmt.data.cleaning import split_words
from distilmt.data.readers.debian import Description

_TECHNICAL_NAMES = """
cli-mono debian-installer debug devel doc gnu-r golang haskell introspection java javascript kernel libdevel libs lisp
localization metapackages misc ocaml oldlibs perl php python ruby rust shells tasks vcs zope
"""
TECHNICAL_SECTIONS = frozenset(_TECHNICAL_NAMES.split())
"""Sections that do not give the purpose of a package."""
_FROM_ONE_SOURCE, _LEAST_WORDS = 3, 8


class LabeledText(NamedTuple):
    """A labeled text."""

    label: str
    source: str
    """The source package: its binary packages are similar, so they stay on one side of a split."""
    package: str
    text: str


def examples(descriptions: Iterable[Description], sections: int = 10) -> list[LabeledText]:
    """Texts of the most frequent sections, at most three per source package.

    Args:
        descriptions: descriptions of all packages.
        sections: number of sections.
    """
    candidates = [
        d for d in descriptions if d.section not in TECHNICAL_SECTIONS and len(split_words(d.text)) >= _LEAST_WORDS
    ]
    candidates = list(_few_of_a_source(candidates))
    frequent_sections = {section for section, _ in Counter(d.section for d in candidates).most_common(sections)}
    return [LabeledText(d.section, d.source, d.package, d.text) for d in candidates if d.section in frequent_sections]


def _few_of_a_source(descriptions: Iterable[Description]) -> Iterator[Description]:
    counts: Counter[str] = Counter()
    for description in descriptions:
        counts[description.source] += 1
        if counts[description.source] <= _FROM_ONE_SOURCE:
            yield description


def split_by_source(
    labeled_texts: Iterable[LabeledText], seed: int, test: float = 0.2
) -> tuple[list[LabeledText], list[LabeledText]]:
    """Training and test examples, without a source package on both sides.

    Args:
        labeled_texts: all labeled texts.
        seed: seed of the split.
        test: fraction of the source packages in the test part.
    """
    sides: tuple[list[LabeledText], list[LabeledText]] = ([], [])
    for example in labeled_texts:
        sides[_fraction(example.source, seed) < test].append(example)
    return sides


def _fraction(source: str, seed: int) -> float:
    """A number from 0 to 1 that depends only on a name and a seed."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{source}".encode(), digest_size=8).digest(), "big") / 2**64
