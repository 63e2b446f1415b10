"""Sentence chrF between all pairs of a few texts, as sacreBLEU computes it but counting each text's n-grams once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

_ORDER, _BETA = 6, 2.0


def pairwise(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF (Popović 2015: characters without spaces, n-grams up to 6, β = 2) of every hypothesis by every reference.

    Args:
        hypotheses: H texts.
        references: R texts, each a reference by itself.

    Returns:
        [H, R] from 0 to 100.
    """
    precision, recall, orders = (np.zeros((len(hypotheses), len(references))) for _ in range(3))
    sides = [["".join(text.split()) for text in texts] for texts in (hypotheses, references)]
    for n in range(1, _ORDER + 1):
        ours, theirs = ([_grams(text, n) for text in side] for side in sides)
        known = {gram: i for i, gram in enumerate(dict.fromkeys(gram for counts in theirs for gram in counts))}
        a, b = _table(ours, known), _table(theirs, known)
        matches = np.minimum(a[:, None], b[None]).sum(-1)
        totals = [np.array([counts.total() for counts in side], float) for side in (ours, theirs)]
        both = (totals[0][:, None] > 0) & (totals[1][None] > 0)
        precision += np.where(both, matches / np.maximum(totals[0], 1)[:, None], 0)
        recall += np.where(both, matches / np.maximum(totals[1], 1)[None], 0)
        orders += both
    # Precision and recall are means over the orders that both texts have: sums, divided by their number.
    weight = (_BETA**2 * precision + recall) * orders
    return 100 * (1 + _BETA**2) * precision * recall / np.where(weight > 0, weight, 1)


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def _table(counts: Sequence[Counter[str]], known: dict[str, int]) -> np.ndarray:
    """[texts, n-grams] of those that are known."""
    table = np.zeros((len(counts), len(known)), np.int32)
    for row, found in zip(table, counts, strict=True):
        for gram, count in found.items():
            if gram in known:
                row[known[gram]] = count
    return table
