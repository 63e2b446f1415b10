"""How well a model of the other direction guesses a source from its translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.data import tokenizer as tokenizers
from distilmt.models.checkpoint import load_marian
from distilmt.teachers.forced_decoding import force_decode


class BackwardModel:
    """A Marian model from the target language to the source language, with pieces of its own.

    A source it finds unlikely has a translation that left something out, or is none (cross-entropy filtering:
    Junczys-Dowmunt 2018; the pipelines behind browsers' translators drop the worst few per cent so).
    """

    def __init__(self, path: str | Path) -> None:
        """Load the model and its tokenizer.

        Raises:
            UserError: it is no Marian directory in safetensors, or has no tokenizer beside it.
        """
        self.model, self.tokenizer = load_marian(path), tokenizers.load(Path(path))

    def scores(self, sources: Sequence[str], translations: Sequence[str]) -> list[float | None]:
        """Mean log-probability of the pieces of each source after its translation; None where one is too long."""
        log_probs: list[float | None] = [None] * len(sources)
        if not sources:
            return log_probs
        positions = force_decode(self.model, self.tokenizer, translations, sources)
        for row, value in zip(positions.rows.tolist(), positions.mean_logprobs().tolist(), strict=True):
            log_probs[row] = value
        return log_probs
