"""What a student learns from: the teacher's soft targets, mixed with the hard labels.

A distribution is a row of K probabilities, in the order of `classes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from distilmt.losses.divergences import soften

NO_LABEL = -1
_FLOOR = 1e-4
"""Probabilities below it count as it in log-odds: those of trees and of naive Bayes are often exactly 0 or 1, and their
logits would be all that a least-squares fit looks at."""


@dataclass
class DistillationTargets:
    """The targets of N rows, the first of which may have hard labels."""

    classes: np.ndarray
    """[K], sorted."""
    soft: np.ndarray
    """[N, K] float64: the teacher's probabilities at temperature 1."""
    labels: np.ndarray
    """[N] int64: a row's class, as an index into `classes`; -1 where nobody labelled it."""
    alpha: float
    """Weight of the hard labels, 0 to 1; that of the soft targets is the rest."""
    temperature: float = 1.0
    """Above 0; the teacher's distributions are softened by it."""

    def __post_init__(self) -> None:
        """Refuse what is no choice.

        Raises:
            ValueError: fewer than two classes.
        """
        if len(self.classes) < 2:
            raise ValueError(f"y has {len(self.classes)} class(es), {self.classes.tolist()}: give rows of two or more")

    def mixed(self) -> np.ndarray:
        """α · one-hot(y) + (1 − α) · q_T, [N, K] (Hinton et al. 2015, section 2, for students without a temperature).

        Rows with a label sum to 1, those without to 1 − α: what they weigh beside the others.
        """
        mixed = np.zeros(self.soft.shape)
        if self.alpha < 1:
            softened = soften(torch.from_numpy(np.asarray(self.soft, np.float64)), self.temperature)
            mixed += (1 - self.alpha) * softened.numpy()
        rows = np.flatnonzero(self.labels != NO_LABEL)
        mixed[rows, self.labels[rows]] += self.alpha
        return mixed

    def rows(self, chosen: np.ndarray) -> DistillationTargets:
        """The targets of some rows."""
        return replace(self, soft=self.soft[chosen], labels=self.labels[chosen])


def of_labels(labels: np.ndarray, classes: np.ndarray) -> DistillationTargets:
    """Hard labels alone.

    Args:
        labels: [N] indices into `classes`.
        classes: [K].
    """
    nobody = np.broadcast_to(
        1 / max(1, len(classes)), (len(labels), len(classes))
    )  # takes no room, and is not looked at
    return DistillationTargets(classes, nobody, labels, alpha=1.0)


class Expanded(NamedTuple):
    """Weighted copies of rows, for classifiers that know one class a row."""

    rows: np.ndarray
    """[M] int64: which row is copied."""
    labels: np.ndarray
    """[M] int64: the copy's class, an index."""
    weights: np.ndarray
    """[M]: the copy's weight; the copies of a row weigh together what the row weighs."""


def expand(mixed: np.ndarray, keep: float = 1.0) -> Expanded:
    """Each row once per class, weighted by the class's probability.

    A weighted log-loss over the copies is the cross-entropy against the distribution. M is up to N · K, and so is the
    memory that the copied features take; `keep` below 1 leaves out the least likely classes.

    Args:
        mixed: [N, K] weights of each row's classes, which sum to the row's weight.
        keep: above 0 and at most 1. Of each row's weight, at least this share is kept, in as few classes as will do,
            and spread over them again in proportion. Each class stays in the row where it weighs most, so that no
            class is lost.
    """
    order = np.argsort(-mixed, axis=1, kind="stable")
    ordered = np.take_along_axis(mixed, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    total = mixed.sum(axis=1, keepdims=True)
    mask = np.zeros(mixed.shape, dtype=bool)
    np.put_along_axis(mask, order, before < keep * total, axis=1)
    mask[mixed.argmax(axis=0), np.arange(mixed.shape[1])] = True
    mask &= mixed > 0
    weights = np.where(mask, mixed, 0.0)
    weights *= total / np.where(total > 0, weights.sum(axis=1, keepdims=True), 1.0)
    rows, labels = np.nonzero(mask)
    return Expanded(rows, labels, weights[rows, labels])


def centred_logits(distribution: np.ndarray) -> np.ndarray:
    """Log-probabilities less their mean over classes, [N, K] (Ba & Caruana 2014, section 2.2).

    Args:
        distribution: [N, K]; values below 1e-4 count as that.
    """
    logs = np.log(np.maximum(distribution, _FLOOR))
    return logs - logs.mean(axis=1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, [N, K], in float64."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def aligned(values: np.ndarray, of: np.ndarray, to: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Columns in another order of classes, [N, len(to)]; classes that `of` has not are filled.

    Args:
        values: [N, len(of)].
        of: the classes of the columns.
        to: the classes wanted, which hold all of `of`.
        fill: value of a class that is missing. For probabilities zero: who does not know a class never gives it.
    """
    if np.array_equal(of, to):
        return values
    columns = {name: column for column, name in enumerate(np.asarray(to).tolist())}
    target_columns = np.full((len(values), len(to)), fill, dtype=np.float64)
    target_columns[:, [columns[name] for name in np.asarray(of).tolist()]] = values
    return target_columns
