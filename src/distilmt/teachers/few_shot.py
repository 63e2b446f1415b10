"""Sentence pairs of the corpus that stand before the requests to a language model as examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distilmt.utils.errors import UserError

_FEWEST_CHARACTERS, _MOST_CHARACTERS = 15, 200
_MAX_RATIO = 2.0


def choose_examples(
    sources: Sequence[str], targets: Sequence[str], count: int, seed: tuple[int, ...]
) -> list[tuple[str, str]]:
    """Random pairs of ordinary length.

    Raises:
        UserError: there are fewer of them.
    """
    examples: list[tuple[str, str]] = []
    for row in np.random.default_rng(seed).permutation(len(sources)):
        if len(examples) == count:
            break
        pair = (sources[row], targets[row])
        if _is_ordinary(*pair) and pair not in examples:
            examples.append(pair)
    if len(examples) < count:
        raise UserError(
            f"teacher.endpoint.few_shot is {count}, but the training text has only {len(examples)} pairs of "
            f"{_FEWEST_CHARACTERS} to {_MOST_CHARACTERS} characters: reduce it"
        )
    return examples


def _is_ordinary(source: str, target: str) -> bool:
    shorter, longer = sorted((len(source), len(target)))
    return _FEWEST_CHARACTERS <= len(source) <= _MOST_CHARACTERS and longer <= _MAX_RATIO * shorter and source != target
