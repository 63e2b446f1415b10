"""Sentence chrF between all pairs of some texts, equal to sacreBLEU's; counts the n-grams of each text only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

_ORDER, _BETA = 6, 2.0


def pairwise_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF (Popović 2015: characters without spaces, n-grams up to 6, β = 2) of all hypotheses against all references.

    Args:
        hypotheses: H texts.
        references: R texts, each a single reference.

    Returns:
        [H, R] from 0 to 100.
    """
    precision, recall, orders = (np.zeros((len(hypotheses), len(references))) for _ in range(3))
    sides = [["".join(text.split()) for text in texts] for texts in (hypotheses, references)]
    for n in range(1, _ORDER + 1):
        hypothesis_ngrams, reference_ngrams = ([_ngrams(text, n) for text in side] for side in sides)
        ngram_ids = {
            gram: i for i, gram in enumerate(dict.fromkeys(gram for counts in reference_ngrams for gram in counts))
        }
        a, b = _count_matrix(hypothesis_ngrams, ngram_ids), _count_matrix(reference_ngrams, ngram_ids)
        matches = np.minimum(a[:, None], b[None]).sum(-1)
        totals = [
            np.array([counts.total() for counts in side], float) for side in (hypothesis_ngrams, reference_ngrams)
        ]
        both = (totals[0][:, None] > 0) & (totals[1][None] > 0)
        precision += np.where(both, matches / np.maximum(totals[0], 1)[:, None], 0)
        recall += np.where(both, matches / np.maximum(totals[1], 1)[None], 0)
        orders += both
    # Precision and recall are averaged over the orders that both texts have.
    weight = (_BETA**2 * precision + recall) * orders
    return 100 * (1 + _BETA**2) * precision * recall / np.where(weight > 0, weight, 1)


def _ngrams(text: str, n: int) -> Counter[str]:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def _count_matrix(counts: Sequence[Counter[str]], ngram_ids: dict[str, int]) -> np.ndarray:
    """Counts [texts, n-grams] of the n-grams in `ngram_ids`."""
    table = np.zeros((len(counts), len(ngram_ids)), np.int32)
    for row, text_counts in zip(table, counts, strict=True):
        for gram, count in text_counts.items():
            if gram in ngram_ids:
                row[ngram_ids[gram]] = count
    return table
