"""Backward model: scores a source given its translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.data import tokenizer as tokenizers
from distilmt.models.checkpoint import load_model
from distilmt.teachers.forced_decoding import force_decode


class BackwardModel:
    """A Marian model from the target language to the source language, with its own tokenizer.

    If the source is unlikely, the translation is incomplete or wrong (cross-entropy filtering: Junczys-Dowmunt 2018;
    the training pipelines of browser translators drop the worst few percent this way).
    """

    def __init__(self, path: str | Path) -> None:
        """Load the model and its tokenizer.

        Raises:
            UserError: it is not a Marian directory with safetensors weights and a tokenizer.
        """
        self.model, self.tokenizer = load_model(path), tokenizers.load(Path(path))

    def scores(self, sources: Sequence[str], translations: Sequence[str]) -> list[float | None]:
        """Mean log-probability of each source's tokens given its translation; None if either text is too long."""
        log_probs: list[float | None] = [None] * len(sources)
        if not sources:
            return log_probs
        positions = force_decode(self.model, self.tokenizer, translations, sources)
        for row, value in zip(positions.rows.tolist(), positions.mean_logprobs().tolist(), strict=True):
            log_probs[row] = value
        return log_probs
