"""Which of two languages a text is in, told by its characters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

_LENGTH = 3
_FEWEST_LETTERS = 12


class LanguagePairClassifier:
    """Naive Bayes over trigrams of characters, learnt from the two sides of a corpus (Cavnar & Trenkle 1994's idea).

    Two are easier to tell apart than a hundred: no list of languages is needed, and any pair that has text works.
    """

    def __init__(self, source: Iterable[str], target: Iterable[str]) -> None:
        """Count the trigrams of both sides."""
        self._counts = [Counter(gram for text in side for gram in _grams(text)) for side in (source, target)]
        self._totals = [sum(counts.values()) for counts in self._counts]
        self._kinds = len(self._counts[0] | self._counts[1]) + 1

    def is_source(self, text: str) -> bool:
        """Whether a text is in the source language rather than the target's; False where it is too short to tell."""
        if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
            return False
        return self._likelihood(text, 0) > self._likelihood(text, 1)

    def _likelihood(self, text: str, side: int) -> float:
        counts, all_ = self._counts[side], self._totals[side] + self._kinds
        return sum(math.log((counts[gram] + 1) / all_) for gram in _grams(text))


def _grams(text: str) -> Sequence[str]:
    padded = f" {''.join(c for c in text.lower() if c.isalpha() or c == ' ')} "
    return [padded[i : i + _LENGTH] for i in range(len(padded) - _LENGTH + 1)]
