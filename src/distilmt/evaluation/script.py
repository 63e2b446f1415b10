"""Classify which of two languages a text is in, by its characters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

_LENGTH = 3
_FEWEST_LETTERS = 12


class LanguagePairClassifier:
    """Naive Bayes over character trigrams, trained on the two sides of a corpus (idea of Cavnar & Trenkle 1994).

    Two languages are easier to separate than a hundred: it needs no list of languages and works for any pair with text.
    """

    def __init__(self, source: Iterable[str], target: Iterable[str]) -> None:
        """Count the trigrams of both sides."""
        self._counts = [Counter(gram for text in side for gram in _grams(text)) for side in (source, target)]
        self._totals = [sum(counts.values()) for counts in self._counts]
        self._kinds = len(self._counts[0] | self._counts[1]) + 1

    def is_source(self, text: str) -> bool:
        """Whether a text is in the source rather than the target language; False if it is too short to decide."""
        if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
            return False
        return self._likelihood(text, 0) > self._likelihood(text, 1)

    def _likelihood(self, text: str, side: int) -> float:
        counts, all_ = self._counts[side], self._totals[side] + self._kinds
        return sum(math.log((counts[gram] + 1) / all_) for gram in _grams(text))


def _grams(text: str) -> Sequence[str]:
    padded = f" {''.join(c for c in text.lower() if c.isalpha() or c == ' ')} "
    return [padded[i : i + _LENGTH] for i in range(len(padded) - _LENGTH + 1)]
