"""Texts with one label of ten: descriptions of Debian packages, and the section of the archive each stands in.

A section says what a package is for (`games`, `science`) or what it is made of (`libs`, `python`); the ten most
frequent of the first kind are taken. Maintainers choose them, and their meanings overlap.
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
"""Sections that tell nothing of what a package is for."""
_FROM_ONE_SOURCE, _LEAST_WORDS = 3, 8


class LabeledText(NamedTuple):
    """A labelled text."""

    label: str
    source: str
    """The source package: what is built of one is alike, and stands on one side of a split."""
    package: str
    text: str


def examples(descriptions: Iterable[Description], sections: int = 10) -> list[LabeledText]:
    """Texts of the most frequent sections, at most three of a source package.

    Args:
        descriptions: of all packages.
        sections: how many.
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
    """Examples to learn from and to test with, no source package on both sides.

    Args:
        labeled_texts: all of them.
        seed: another one splits otherwise.
        test: share of the source packages that is tested with.
    """
    sides: tuple[list[LabeledText], list[LabeledText]] = ([], [])
    for example in labeled_texts:
        sides[_fraction(example.source, seed) < test].append(example)
    return sides


def _fraction(source: str, seed: int) -> float:
    """A number from 0 to 1 that depends on a name and a seed alone."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{source}".encode(), digest_size=8).digest(), "big") / 2**64
