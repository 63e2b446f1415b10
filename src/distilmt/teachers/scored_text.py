"""Translations with scores, and the score that a response of a language model gives."""

from __future__ import annotations

from itertools import accumulate
from typing import TypeAlias

from distilmt.utils.json_types import JsonMapping

ScoredText: TypeAlias = tuple[str, float]
"""A translation and its mean log-probability per token; 0 where a teacher gives none."""


def mean_logprob(choice: JsonMapping, text: str) -> float:
    """Mean log-probability of the tokens of a translation in a choice of a chat completion; 0 if there are none.

    The tokens of reasoning and of other text around the translation are left out.
    """
    logprobs = choice.get("logprobs")
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    tokens = [
        (entry["token"], float(entry["logprob"]))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("token"), str)
        and isinstance(entry.get("logprob"), int | float)
    ]
    start = "".join(token for token, _ in tokens).rfind(text)
    ends = list(accumulate(len(token) for token, _ in tokens))
    own = [
        logprob
        for (token, logprob), end in zip(tokens, ends, strict=True)
        if start < 0 or (end > start and end - len(token) < start + len(text))
    ]
    return max(sum(own) / len(own), -1e4) if own else 0.0
