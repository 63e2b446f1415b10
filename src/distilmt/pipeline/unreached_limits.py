"""Bounds that were never reached: changing them changes nothing that was computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distilmt.utils.run_dir import StepRecord
from distilmt.utils.step_results import CorpusResult, ModelResult, result_of


@dataclass(frozen=True)
class FinishedStep:
    """Record, keys and log of a finished step."""

    record: StepRecord
    old: Mapping[str, Any]
    """Values of all keys when the step was run."""
    log: tuple[Mapping[str, float], ...] = ()
    """Lines of the training log, one per validation."""


_SPLITS = {
    "labels.max_sentences": "train",
    "tokenizer.input_sentence_size": "train",
    "teacher.training.eval_sentences": "valid",
    "student.training.eval_sentences": "valid",
}
"""Limits of a number of sentences, and the split of the corpus that they limit."""
_REASONS = {
    "labels.max_length_ratio": "length_ratio",
    "labels.max_repetition": "repetition",
    "labels.max_ter": "distant",
}
"""Limits of hypotheses, and the reason for which the student's record counts those that one drops."""
_MAX_TRAIN, _TOP_K, _STORED_TOP_K = "corpus.max_train", "student.objective.top_k", "labels.top_k"
_TRAININGS = ("teacher.training", "student.training")
_TIMES = tuple(f"{training}.max_seconds" for training in _TRAININGS)
_PATIENCES = tuple(f"{training}.patience" for training in _TRAININGS)
RULES = (*_SPLITS, *_REASONS, _MAX_TRAIN, _TOP_K, _STORED_TOP_K, *_TIMES, *_PATIENCES)
"""The keys with rules."""


def effective_value(name: str, value: Any, values: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
    """The value, or, for a bound above the available amount, that amount."""
    split = _SPLITS.get(name)
    if split and split in counts:
        return counts[split] if value is None or value >= counts[split] else value
    if name == _TOP_K:
        stored = values.get(_STORED_TOP_K, 0)
        return stored if value is None else min(value, stored)
    return value


def same_outcome(name: str, old: Any, new: Any, step: FinishedStep) -> bool:
    """Whether another value of a key would have given the same outcome of a finished step."""
    if name == _MAX_TRAIN:
        rows = result_of(CorpusResult, step.record).train
        return (old is None or rows < old) and (new is None or rows <= new)
    if name in _TIMES and step.log:
        return _is_time_unreached(old, new, _log(name, step), _max_steps(name, step))
    if name in _PATIENCES and step.log:
        scores = [line[step.old[_sibling(name, "metric")]] for line in _log(name, step)]
        return _early_stop(scores, old) is None and _early_stop(scores, new) is None
    if name in _REASONS:
        dropped = result_of(ModelResult, step.record).hypotheses_dropped or {}
        return not dropped.get(_REASONS[name]) and _is_looser(old, new)
    return False


def _sibling(name: str, key: str) -> str:
    """Another key of the same training."""
    return f"{name.rpartition('.')[0]}.{key}"


def _max_steps(name: str, step: FinishedStep) -> int:
    return int(step.old[_sibling(name, "max_steps")])


def _log(name: str, step: FinishedStep) -> list[Mapping[str, float]]:
    """The log up to the configured updates, without an on-policy phase."""
    return [line for line in step.log if line["update"] <= _max_steps(name, step)]


def _is_looser(old: Any, new: Any) -> bool:
    return new is None or (old is not None and new >= old)


def _is_time_unreached(old: Any, new: Any, log: list[Mapping[str, float]], updates: int) -> bool:
    """Whether the training ends within both limits of seconds."""
    # Factor 2 is a wide margin: at every validation, at most half of the remaining time was needed.
    pace = max((2 * line["seconds"] / line["update"] for line in log if line["update"]), default=math.inf)
    return all(limit is None or pace * updates <= limit for limit in (old, new))


def _early_stop(scores: list[float], patience: int) -> int | None:
    """Number of validations after which early stopping ends the training; None if it does not."""
    best, stalls = -math.inf, 0
    for number, score in enumerate(scores, 1):
        best, stalls = (score, 0) if score > best else (best, stalls + 1)
        if patience and stalls >= patience:
            return number
    return None
