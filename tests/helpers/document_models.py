"""Models that need no weights, for tests of documents; and how much work something is."""

from __future__ import annotations

import cProfile
from collections.abc import Callable


def same(texts: list[str]) -> list[str]:
    """Leaves every text as it is."""
    return list(texts)


def upper(texts: list[str]) -> list[str]:
    """Marks what is translated: by capitals."""
    return [text.upper() for text in texts]


def backwards(texts: list[str]) -> list[str]:
    """Puts the words of a text into the opposite order."""
    return [" ".join(reversed(text.split())) for text in texts]


def nothing(texts: list[str]) -> list[str]:
    """Gives empty translations."""
    return ["" for _ in texts]


def calls(work: Callable[[], object]) -> int:
    """How many functions are called while something works: the same on a busy machine as on an idle one."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())
