"""Texts with one label of ten: descriptions of Debian packages, and the section of the archive each stands in.

A section says what a package is for (`games`, `science`) or what it is made of (`libs`, `python`); the ten most
frequent of the first kind are taken. Maintainers choose them, and their meanings overlap.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from distilmt.data.cleaning import words
from distilmt.data.readers.debian import Description

_MADE_OF = """
cli-mono debian-installer debug devel doc gnu-r golang haskell introspection java javascript kernel libdevel libs lisp
localization metapackages misc ocaml oldlibs perl php python ruby rust shells tasks vcs zope
"""
MADE_OF = frozenset(_MADE_OF.split())
"""Sections that tell nothing of what a package is for."""
_FROM_ONE_SOURCE, _LEAST_WORDS = 3, 8


class Example(NamedTuple):
    """A labelled text."""

    label: str
    source: str
    """The source package: what is built of one is alike, and stands on one side of a split."""
    package: str
    text: str


def examples(descriptions: Iterable[Description], sections: int = 10) -> list[Example]:
    """Texts of the most frequent sections, at most three of a source package.

    Args:
        descriptions: of all packages.
        sections: how many.
    """
    found = [d for d in descriptions if d.section not in MADE_OF and len(words(d.text)) >= _LEAST_WORDS]
    found = list(_few_of_a_source(found))
    kept = {section for section, _ in Counter(d.section for d in found).most_common(sections)}
    return [Example(d.section, d.source, d.package, d.text) for d in found if d.section in kept]


def _few_of_a_source(found: Iterable[Description]) -> Iterator[Description]:
    counts: Counter[str] = Counter()
    for description in found:
        counts[description.source] += 1
        if counts[description.source] <= _FROM_ONE_SOURCE:
            yield description


def split(found: Iterable[Example], seed: int, test: float = 0.2) -> tuple[list[Example], list[Example]]:
    """Examples to learn from and to test with, no source package on both sides.

    Args:
        found: all of them.
        seed: another one splits otherwise.
        test: share of the source packages that is tested with.
    """
    sides: tuple[list[Example], list[Example]] = ([], [])
    for example in found:
        sides[_fraction(example.source, seed) < test].append(example)
    return sides


def _fraction(source: str, seed: int) -> float:
    """A number from 0 to 1 that depends on a name and a seed alone."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{source}".encode(), digest_size=8).digest(), "big") / 2**64
