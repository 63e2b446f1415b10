"""Common interface of translation back ends, and its result type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Span = tuple[int, int]
# A word of a translation by its span, with the source tokens that it attends to: their spans and attention weights.
WordAttention = tuple[Span, list[tuple[Span, float]]]


@dataclass(frozen=True)
class Hypothesis:
    """One translation: its text, its tokens without `</s>`, and its length-normalized log-probability."""

    text: str
    tokens: list[str]
    score: float

    @property
    def confidence(self) -> float:
        """The geometric mean of the token probabilities, in 0..1."""
        return min(1.0, math.exp(self.score))


class TranslationModel(Protocol):
    """An exported model (`Translator`), a model of transformers (`Generator`), a program or a server (`RemoteTeacher`).

    Only a `Translator` has a CTranslate2 compute type, that of its export.
    """

    def hypotheses(
        self,
        texts: Sequence[str],
        beam_size: int = 4,
        count: int = 1,
        length_penalty: float = 1.0,
        batch_size: int = 64,
        batch_type: str = "examples",
        sampling: float = 0.0,
    ) -> list[list[Hypothesis]]:
        """Up to `count` translations of each text, best first; none for an empty text.

        Args:
            texts: one sentence each.
            beam_size: 1 is greedy.
            count: translations per text.
            length_penalty: exponent of the length that divides the scores.
            batch_size: texts or tokens per batch.
            batch_type: unit of `batch_size`: `examples` or `tokens`.
            sampling: above 0, sample from the distribution at this temperature instead of beam search.
        """

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """The best translation of each text, in order; an empty text gives an empty one."""


def join_translations(portions: Sequence[str]) -> str:
    """Join translations of consecutive sentences; no space follows a full stop of Chinese or Japanese."""
    text = portions[0] if portions else ""
    for portion in portions[1:]:
        text += portion if not text or text.endswith(("。", "！", "？")) else f" {portion}"
    return text


def join_hypotheses(parts: Sequence[Hypothesis]) -> Hypothesis:
    """Join translations of consecutive sentences, with the mean score of their tokens."""
    token_count = max(1, sum(len(part.tokens) for part in parts))
    score = sum(part.score * len(part.tokens) for part in parts) / token_count
    return Hypothesis(join_translations([p.text for p in parts]), [t for part in parts for t in part.tokens], score)
