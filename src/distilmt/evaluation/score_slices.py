"""Scores of parts of a test set, and which of them lose more than the whole from one system to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from sacrebleu.metrics.chrf import CHRF

from distilmt.evaluation.quality import sentence_chrf
from distilmt.evaluation.slices import length_bins

_RESAMPLES = 1000
_FEWEST = 10
"""A slice with fewer sentences has no interval."""
LENGTH, SOURCE, REGISTER = "length", "source", "register"


class SliceScore(TypedDict):
    """A part of the test set: `kind` is `length` (of the sources in characters), `source` or `register`.

    `chrf` is by system. `change` is the student's chrF minus the teacher's. `excess` is the mean change of a sentence's
    chrF minus that of the whole test set, with its 95 % interval; `loses_more` is true if all of the interval is
    negative. Null where they were not computed.
    """

    kind: str
    name: str
    sentences: int
    chrf: dict[str, float]
    change: float | None
    excess: float | None
    interval: list[float] | None
    loses_more: bool


def slice_scores(
    translations: Mapping[str, Sequence[str]],
    references: Sequence[str],
    labels: Mapping[str, Sequence[str | None]],
    compared: tuple[str, str],
    seed: int = 1,
) -> list[SliceScore]:
    """Scores of every part of a test set.

    Args:
        translations: by system.
        references: of the test set.
        labels: by kind, the slice that each sentence belongs to; None belongs to none.
        compared: student and teacher; where one has no translations, no change is computed.
        seed: seed of the bootstrap.
    """
    changes = _sentence_changes(translations, references, compared)
    rows = []
    for kind, values in labels.items():
        for name in dict.fromkeys(value for value in values if value is not None):
            numbers = np.flatnonzero(np.array([value == name for value in values]))
            rows.append(_slice(kind, name, numbers, translations, references, compared))
            if changes is not None and len(numbers) >= _FEWEST:
                _add_excess(rows[-1], changes, numbers, seed)
    return rows


def length_labels(sources: Sequence[str]) -> list[str]:
    """The name of each sentence's bin by length in characters: four bins of about equal size, the shortest first."""
    if not sources:
        return []
    names, bins = length_bins(sources)
    return [names[number] for number in bins.tolist()]


def _sentence_changes(
    translations: Mapping[str, Sequence[str]], references: Sequence[str], compared: tuple[str, str]
) -> np.ndarray | None:
    """The student's chrF minus the teacher's for every sentence: [sentences]; None without both."""
    if not all(name in translations for name in compared):
        return None
    student, teacher = (np.array(sentence_chrf(translations[name], references)) for name in compared)
    change: np.ndarray = student - teacher
    return change


def _slice(
    kind: str,
    name: str,
    numbers: np.ndarray,
    translations: Mapping[str, Sequence[str]],
    references: Sequence[str],
    compared: tuple[str, str],
) -> SliceScore:
    metric, chosen = CHRF(), numbers.tolist()
    part = [references[number] for number in chosen]
    chrf = {
        system: float(metric.corpus_score([lines[number] for number in chosen], [part]).score)
        for system, lines in translations.items()
    }
    change = chrf[compared[0]] - chrf[compared[1]] if all(system in chrf for system in compared) else None
    return SliceScore(
        kind=kind,
        name=name,
        sentences=len(chosen),
        chrf=chrf,
        change=change,
        excess=None,
        interval=None,
        loses_more=False,
    )


def _add_excess(row: SliceScore, changes: np.ndarray, numbers: np.ndarray, seed: int) -> None:
    """Resample the slice and the sentences outside it; the whole is the mean of both by their sizes."""
    random = np.random.default_rng(seed)
    inside, outside = changes[numbers], np.delete(changes, numbers)
    if not len(outside):
        return
    means = [part[random.integers(0, len(part), (_RESAMPLES, len(part)))].mean(axis=1) for part in (inside, outside)]
    # The slice minus the whole is the slice minus the others, times the share of the others.
    share = len(outside) / len(changes)
    low, high = np.quantile((means[0] - means[1]) * share, [0.025, 0.975])
    row["excess"] = float((inside.mean() - outside.mean()) * share)
    row["interval"] = [float(low), float(high)]
    row["loses_more"] = bool(high < 0)
