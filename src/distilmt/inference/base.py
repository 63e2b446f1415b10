"""Common interface of translation back ends, and its result type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Span = tuple[int, int]
# A word of a translation by its span, with the source tokens that it attends to: their spans and attention weights.
WordAttention = tuple[Span, list[tuple[Span, float]]]


@dataclass(frozen=True)
class DecodingOptions:
    """How translations are searched for.

    Raises:
        ValueError: a number is out of bounds; the message has its name.
    """

    beam_size: int = 4
    """Hypotheses that the search keeps at every position, at least `num_hypotheses`; 1 is greedy."""
    num_hypotheses: int = 1
    """Translations returned for each text, at most."""
    length_penalty: float = 1.0
    """Exponent of the length in tokens that divides the log-probability of a hypothesis; 0 prefers short ones."""
    sampling_temperature: float = 0.0
    """Above 0, tokens are sampled from the model's distribution at this temperature, without a beam."""
    batch_size: int = 64
    """Size of a batch, in units of `batch_type`."""
    batch_type: Literal["examples", "tokens"] = "examples"
    """Unit of `batch_size`: texts, or tokens of the texts."""
    return_scores: bool = False
    """Score greedy translations too, which is slightly slower; those of other searches always have scores."""

    def __post_init__(self) -> None:
        for name in ("beam_size", "num_hypotheses", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not 0 <= self.sampling_temperature < math.inf:
            raise ValueError(f"sampling_temperature is {self.sampling_temperature}: it must be 0 or a positive number")
        if not math.isfinite(self.length_penalty):
            raise ValueError(f"length_penalty is {self.length_penalty}: it must be a finite number")
        if self.batch_type not in ("examples", "tokens"):
            raise ValueError(f"batch_type is {self.batch_type!r}: it must be examples or tokens")

    @property
    def beams(self) -> int:
        """Hypotheses that the search really keeps at every position."""
        return 1 if self.sampling_temperature else max(self.beam_size, self.num_hypotheses)

    @property
    def has_scores(self) -> bool:
        """Whether the translations have scores."""
        return self.return_scores or self.num_hypotheses > 1 or self.beam_size > 1


DEFAULT_DECODING = DecodingOptions()


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

    def hypotheses(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """The translations of each text, one sentence, best first; none for an empty text."""

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
