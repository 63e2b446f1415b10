"""Training sources that are disturbed anew in every epoch, while their targets stay those of the clean sentences."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from distilmt.config.augmentation import AugmentationConfig
from distilmt.data.tokenizer import UNK, LanguageTokenizer
from distilmt.training.batching import Ragged, TrainingSet
from distilmt.training.source_noise import CaseStyle, with_case, with_typos, without_full_stop
from distilmt.utils.seeds import SeedStream

_BLOCK = 65_536
"""Sentences that are disturbed at a time, which bounds the memory."""
_CASES: tuple[CaseStyle, ...] = ("capitals", "lower_case", "title_case")


@dataclass(frozen=True)
class SourceAugmentation:
    """How the sources of a training set are disturbed."""

    texts: Sequence[str]
    """[m]: the clean sources of the first sentences; those behind them are never disturbed."""
    tokenizer: LanguageTokenizer
    language: str
    """Code of the source language."""
    config: AugmentationConfig

    def in_epoch(self, data: TrainingSet, seed: int, epoch: int) -> TrainingSet:
        """The training set with the sources of an epoch.

        A sentence's disturbance depends on seed, epoch and its row only, so that a resumed training, and every process
        of a distributed one, has the same. A sentence stays clean if it would get a character without a token, or
        become longer than the student's positions.

        Args:
            data: the set with the clean sources [n], n not below m.
            seed: the run's seed.
            epoch: number of the pass over the data.
        """
        generator = np.random.default_rng((seed, epoch, SeedStream.AUGMENTATION))
        choices = generator.random((len(self.texts), 3), dtype=np.float32)
        seeds = generator.integers(2**32, size=len(self.texts), dtype=np.uint32)
        thresholds = (sum(self._case_fractions), self.config.no_full_stop, self.config.typos)
        rows = np.flatnonzero((choices < thresholds).any(1))
        parts = np.split(rows, range(_BLOCK, len(rows), _BLOCK))
        blocks = [self._disturbed(data, part, choices[part], seeds[part]) for part in parts]
        return replace(data, source=_replaced(data.source, rows, [tokens for block in blocks for tokens in block]))

    @property
    def _case_fractions(self) -> list[float]:
        return [getattr(self.config, style) for style in _CASES]

    def _disturbed(
        self, data: TrainingSet, rows: np.ndarray, choices: np.ndarray, seeds: np.ndarray
    ) -> list[np.ndarray]:
        """Tokens of disturbed sentences; the clean ones where those cannot be used.

        Args:
            data: the set with the clean sources.
            rows: [m] their numbers.
            choices: [m, 3] random numbers between 0 and 1 that choose case, full stop and typing errors.
            seeds: [m] seeds of what the disturbances themselves choose.
        """
        given = zip(rows.tolist(), choices.tolist(), seeds.tolist(), strict=True)
        texts = [self._disturbed_text(self.texts[row], choice, seed) for row, choice, seed in given]
        offsets, result = data.source.offsets, []
        for row, tokens in zip(rows.tolist(), self.tokenizer.encode(texts), strict=True):
            clean, other = data.source.flat[offsets[row] : offsets[row + 1]], np.array(tokens, dtype=np.int32)
            result.append(other if _is_usable(other, clean, data.max_length) else clean)
        return result

    def _disturbed_text(self, text: str, choices: Sequence[float], seed: int) -> str:
        case, mark, error = choices
        generator = random.Random(seed)
        if error < self.config.typos:
            text = with_typos(text, generator)
        if mark < self.config.no_full_stop:
            text = without_full_stop(text)
        style = self._case_style(case)
        return text if style is None else with_case(text, style, generator, self.language)

    def _case_style(self, choice: float) -> CaseStyle | None:
        return next(
            (style for style, below in zip(_CASES, accumulate(self._case_fractions), strict=True) if choice < below),
            None,
        )


def _replaced(source: Ragged, rows: np.ndarray, tokens: Sequence[np.ndarray]) -> Ragged:
    """Sequences of which the numbers `rows` [m], in ascending order, are replaced by `tokens` [m]."""
    lengths, pieces, end = source.lengths, [], 0
    lengths[rows] = [len(sequence) for sequence in tokens]
    for row, sequence in zip(rows.tolist(), tokens, strict=True):
        pieces += [source.flat[end : source.offsets[row]], sequence]
        end = source.offsets[row + 1]
    pieces.append(source.flat[end:])
    return Ragged(np.concatenate(pieces), np.concatenate([[0], np.cumsum(lengths)]))


def _is_usable(tokens: np.ndarray, clean: np.ndarray, max_length: int) -> bool:
    """Whether tokens of a disturbed sentence can stand for the clean ones."""
    unknown = np.count_nonzero(tokens == UNK) > np.count_nonzero(clean == UNK)
    return not unknown and 1 < len(tokens) <= max(max_length, len(clean))
