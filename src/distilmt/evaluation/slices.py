"""Scores by sentence length and by training frequency of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from distilmt.evaluation.quality import tokenizer_for

FREQUENCIES = (0, 1, 5, 20, 100)
"""Lower bounds of the bins of `f1_by_frequency`."""
_WORD = re.compile(r"\w+")


def word_tokenize(text: str, target: str) -> list[str]:
    """Lower-cased words of a text, or its characters in languages written without spaces."""
    tokens = _WORD.findall(text.lower())
    return tokens if tokenizer_for(target) == "13a" else list("".join(tokens))


def word_frequencies(texts: Iterable[str], target: str) -> Counter[str]:
    """Frequency of each word in the texts."""
    return Counter(word for text in texts for word in word_tokenize(text, target))


def length_bins(sources: Sequence[str], bins: int = 4) -> tuple[list[str], np.ndarray]:
    """Bins by source length in characters, of about equal size: names, and the bin of each sentence."""
    lengths = np.fromiter(map(len, sources), int, len(sources))
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)[1:-1]).astype(int))
    edges = edges[edges < lengths.max()]
    highs = [*edges.tolist(), int(lengths.max())]
    lows = [int(lengths.min()), *(edge + 1 for edge in edges.tolist())]
    return [f"{low}–{high}" for low, high in zip(lows, highs, strict=True)], np.searchsorted(edges, lengths)


def chrf_by_length(translations: Sequence[str], references: Sequence[str], bins: np.ndarray) -> list[float]:
    """chrF of the sentences of each bin."""
    metric, scores = CHRF(), []
    for number in range(int(bins.max()) + 1):
        rows = np.flatnonzero(bins == number).tolist()
        chosen = [[lines[i] for i in rows] for lines in (translations, references)]
        scores.append(float(metric.corpus_score(chosen[0], [chosen[1]]).score))
    return scores


def f1_by_frequency(
    translations: Sequence[str], references: Sequence[str], training_counts: Counter[str], target: str
) -> list[float | None]:
    """F1 of the words in each bin of training frequency, 0 to 100, as in compare-mt (Neubig et al. 2019).

    A word of a translation is correct at most as often as it occurs in the reference. None if no word of the references
    is in a bin.
    """
    matches, hypothesis_totals, reference_totals = (np.zeros(len(FREQUENCIES)) for _ in range(3))
    for translation, reference in zip(translations, references, strict=True):
        hypothesis_counts, reference_counts = (
            Counter(word_tokenize(translation, target)),
            Counter(word_tokenize(reference, target)),
        )
        for word in hypothesis_counts | reference_counts:
            number = int(np.searchsorted(FREQUENCIES, training_counts[word], "right")) - 1
            matches[number] += min(hypothesis_counts[word], reference_counts[word])
            hypothesis_totals[number] += hypothesis_counts[word]
            reference_totals[number] += reference_counts[word]
    return [
        float(200 * r / (s + w)) if w else None
        for r, s, w in zip(matches, hypothesis_totals, reference_totals, strict=True)
    ]


def frequency_names() -> list[str]:
    """Names of the bins of `f1_by_frequency`."""
    ends = [*(low - 1 for low in FREQUENCIES[1:]), None]
    return [
        f"{low}+" if high is None else str(low) if low == high else f"{low}–{high}"
        for low, high in zip(FREQUENCIES, ends, strict=True)
    ]
