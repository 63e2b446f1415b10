"""What all who translate have in common, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Span = tuple[int, int]
# A word of a translation by its place, and what it was made from: pieces of the source by theirs, each with its share
# of the attention.
WordAttention = tuple[Span, list[tuple[Span, float]]]


@dataclass(frozen=True)
class Hypothesis:
    """One translation: its text, its pieces without `</s>`, and its length-normalised log-probability."""

    text: str
    tokens: list[str]
    score: float

    @property
    def confidence(self) -> float:
        """The geometric mean of the pieces' probabilities, in 0..1."""
        return min(1.0, math.exp(self.score))


class TranslationModel(Protocol):
    """An exported model (`Translator`), a model of transformers (`Generator`), a program or a server (`RemoteTeacher`).

    Only a `Translator` computes in the CTranslate2 type that it was exported in; the others have no such type.
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
            texts: a sentence each.
            beam_size: 1 is greedy.
            count: translations of each.
            length_penalty: exponent of the length by which scores are divided.
            batch_size: texts translated together, or pieces.
            batch_type: what `batch_size` counts: `examples`, or `tokens`.
            sampling: above 0, draw from the distribution at this temperature instead of searching with the beam.
        """

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """The best translation of each text, in order; an empty text gives an empty one."""


def join_translations(portions: Sequence[str]) -> str:
    """Translations of consecutive sentences as one; behind a full stop of Chinese or Japanese there is no space."""
    text = portions[0] if portions else ""
    for portion in portions[1:]:
        text += portion if not text or text.endswith(("。", "！", "？")) else f" {portion}"
    return text


def join_hypotheses(parts: Sequence[Hypothesis]) -> Hypothesis:
    """Translations of consecutive sentences as one, with the mean score of their pieces."""
    token_count = max(1, sum(len(part.tokens) for part in parts))
    score = sum(part.score * len(part.tokens) for part in parts) / token_count
    return Hypothesis(join_translations([p.text for p in parts]), [t for part in parts for t in part.tokens], score)
