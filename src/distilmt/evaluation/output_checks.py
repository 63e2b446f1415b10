"""Faults of translations that scores do not show: empty output, repetitions, copies, length outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distilmt.utils.errors import UserError
from distilmt.utils.repetition import repeated_phrases

_LONGEST_PHRASE = 12


@dataclass(frozen=True)
class OutputChecks:
    """Counts of faulty translations out of `sentences`; one translation may be counted more than once."""

    sentences: int
    empty: int
    repetitions: int
    copies: int
    length_outliers: int


def check_outputs(
    hypotheses: Sequence[str],
    sources: Sequence[str],
    references: Sequence[str],
    max_repetition: int = 8,
    max_length_ratio: float = 3.0,
) -> OutputChecks:
    """Count faulty translations.

    Args:
        hypotheses: translations.
        sources: the source sentences.
        references: the references; a copy or repetition that the reference has too is not a fault.
        max_repetition: more consecutive occurrences of a phrase are a repetition.
        max_length_ratio: a translation that is longer or shorter than expected by more than this factor is an outlier
            (in characters, 10 added to both lengths; expected from the source and the mean ratio).

    Raises:
        UserError: different numbers of sentences.
    """
    if not len(hypotheses) == len(sources) == len(references):
        counts = f"{len(hypotheses)} translations, {len(sources)} sources and {len(references)} references"
        raise UserError(f"{counts}: they must pair up line by line")
    rows = list(zip(hypotheses, sources, references, strict=True))
    mean_ratio = _length(references) / max(1, _length(sources))
    return OutputChecks(
        sentences=len(rows),
        empty=sum(not h.strip() and bool(s.strip()) for h, s, _ in rows),
        repetitions=sum(
            has_repetition(h, max_repetition)
            and not has_repetition(s, max_repetition)
            and not has_repetition(r, max_repetition)
            for h, s, r in rows
        ),
        copies=sum(_copied(h, s) and not _copied(r, s) for h, s, r in rows),
        length_outliers=sum(is_length_outlier(h, s, mean_ratio, max_length_ratio) for h, s, _ in rows),
    )


def has_repetition(text: str, max_repetition: int) -> bool:
    """Whether a phrase of up to 12 words or characters (with a letter) occurs over `max_repetition` times in a row."""
    sequences: tuple[Sequence[str], ...] = (text.split(), text)
    return any(
        any(character.isalpha() for character in "".join(phrase))
        for tokens in sequences
        for phrase in repeated_phrases(tokens, _LONGEST_PHRASE, max_repetition)
    )


def _copied(text: str, source: str) -> bool:
    return text.strip().casefold() == source.strip().casefold() and any(c.isalpha() for c in source)


def _length(texts: Sequence[str]) -> int:
    return sum(len(text) for text in texts)


def is_length_outlier(hypothesis: str, source: str, mean_ratio: float, max_ratio: float = 3.0) -> bool:
    """Whether a translation is `max_ratio` times longer or shorter than expected.

    `mean_ratio`: mean number of reference characters per source character.
    """
    ratio = (len(hypothesis) + 10) / (len(source) * mean_ratio + 10)
    return bool(hypothesis.strip()) and not 1 / max_ratio <= ratio <= max_ratio
