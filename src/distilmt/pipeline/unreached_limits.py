"""Bounds that were never reached: changing them changes nothing that was computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distilmt.utils.run_dir import StepRecord


@dataclass(frozen=True)
class FinishedStep:
    """Record, keys and log of a finished step."""

    record: StepRecord
    old: Mapping[str, Any]
    """Values of all keys when the step was run."""
    log: tuple[Mapping[str, float], ...] = ()
    """Lines of the training log, one per validation."""


def effective_value(name: str, value: Any, values: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
    """The value, or, for a bound above the available amount, that amount."""
    split = {"labels.max_sentences": "train", "tokenizer.input_sentence_size": "train"}.get(name)
    if split and split in counts:
        return counts[split] if value is None or value >= counts[split] else value
    if name.endswith(".eval_sentences") and "valid" in counts:
        return min(value, counts["valid"])
    if name == "student.objective.top_k":
        stored = values.get("labels.top_k", 0)
        return stored if value is None else min(value, stored)
    return value


def same_outcome(name: str, old: Any, new: Any, step: FinishedStep) -> bool:
    """Whether another value of a key would have given the same outcome of a finished step."""
    end = name.rsplit(".", 1)[-1]
    if name == "corpus.max_train":
        rows = step.record.result.get("train", 0)
        return (old is None or rows < old) and (new is None or rows <= new)
    if end in ("max_seconds", "patience") and ".training." in name and step.log:
        return _is_limit_inactive(end, old, new, step, int(step.old[name.replace(end, "max_steps")]), name)
    if end in _LOOSER:
        return not step.record.result.get("hypotheses_dropped", {}).get(_LOOSER[end]) and _is_looser(old, new)
    return False


_LOOSER = {"max_length_ratio": "length_ratio", "max_repetition": "repetition", "max_ter": "distant"}


def _is_looser(old: Any, new: Any) -> bool:
    return new is None or (old is not None and new >= old)


def _is_limit_inactive(end: str, old: Any, new: Any, step: FinishedStep, updates: int, name: str) -> bool:
    """Whether neither limit affected the training."""
    log = [line for line in step.log if line["update"] <= updates]
    if end == "max_seconds":
        # Factor 2 is a wide margin: at every validation, at most half of the remaining time was needed.
        pace = max((2 * line["seconds"] / line["update"] for line in log if line["update"]), default=math.inf)
        return all(limit is None or pace * updates <= limit for limit in (old, new))
    scores = [line[step.old[name.replace(end, "metric")]] for line in log]
    return _early_stop(scores, old) == _early_stop(scores, new) and (_early_stop(scores, old) is None)


def _early_stop(scores: list[float], patience: int) -> int | None:
    """Number of validations after which early stopping ends the training; None if it does not."""
    best, stalls = -math.inf, 0
    for number, score in enumerate(scores, 1):
        best, stalls = (score, 0) if score > best else (best, stalls + 1)
        if patience and stalls >= patience:
            return number
    return None
