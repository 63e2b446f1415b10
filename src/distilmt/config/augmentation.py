"""Disturbed and additional sentences in the student's training."""

from __future__ import annotations

from dataclasses import dataclass

from distilmt.config.bounds import bounded
from distilmt.utils.errors import UserError

_CASES = ("capitals", "lower_case", "title_case")
DISTURBANCES = (*_CASES, "no_full_stop", "typos")
"""Keys that change source sentences, anew in every epoch."""
ADDITIONS = ("copies", "joined", "short_sentences")
"""Keys that add sentences to the training text."""


@dataclass
class AugmentationConfig:
    """Sources as users type them, while the target stays that of the clean sentence; and additional sentences."""

    capitals: float = bounded(0.0, 0, 1)
    """Fraction of source sentences in capitals; distilmt translates capitals well without, other programs do not."""
    lower_case: float = bounded(0.0, 0, 1)
    """Fraction of source sentences in lower case, half of them with a capital first letter."""
    title_case: float = bounded(0.0, 0, 1)
    """Fraction of source sentences in which words begin with a capital."""
    no_full_stop: float = bounded(0.0, 0, 1)
    """Fraction of source sentences without the punctuation at their end."""
    typos: float = bounded(0.0, 0, 1)
    """Fraction of source sentences with one or two typing errors: letters swapped, missing, doubled or replaced."""
    copies: float = bounded(0.0, 0, 1)
    """Additional sentences, as a fraction: with a number, address, name or piece of code that the target copies."""
    joined: float = bounded(0.0, 0, 1)
    """Additional sentences, as a fraction: two sentences in one line, whose target are the targets of both."""
    short_sentences: float = bounded(0.0, 0, 0.9)
    """Fraction of sentences with at most three words, which are repeated up to ten times to reach it."""

    def __post_init__(self) -> None:
        total = sum(getattr(self, name) for name in _CASES)
        if total > 1 + 1e-9:
            raise UserError(
                f"student.augmentation: {' + '.join(_CASES)} is {total:g}, but a sentence is in one of them: lower one "
                "until the sum is at most 1"
            )

    @property
    def disturbs(self) -> bool:
        """Whether any source sentence is changed."""
        return any(getattr(self, name) > 0 for name in DISTURBANCES)

    @property
    def adds(self) -> bool:
        """Whether any sentence is added."""
        return any(getattr(self, name) > 0 for name in ADDITIONS)

    @property
    def nonzero_keys(self) -> list[str]:
        """Keys with a value above 0."""
        return [name for name in (*DISTURBANCES, *ADDITIONS) if getattr(self, name) > 0]
