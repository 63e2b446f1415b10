"""Targets of a student: the teacher's soft targets, mixed with the hard labels.

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
"""Minimum of probabilities in logits: trees and naive Bayes often return exactly 0 or 1, and such logits would dominate
a least-squares fit."""


@dataclass
class DistillationTargets:
    """The targets of N rows, the first of which may have hard labels."""

    classes: np.ndarray
    """[K], sorted."""
    soft: np.ndarray
    """[N, K] float64: the teacher's probabilities at temperature 1."""
    labels: np.ndarray
    """[N] int64: a row's class, as an index into `classes`; -1 for unlabeled rows."""
    alpha: float
    """Weight of the hard labels, 0 to 1; the soft targets have the weight 1 − alpha."""
    temperature: float = 1.0
    """Above 0; softens the teacher's distributions."""

    def __post_init__(self) -> None:
        """Check the number of classes.

        Raises:
            ValueError: fewer than two classes.
        """
        if len(self.classes) < 2:
            raise ValueError(f"y has {len(self.classes)} class(es), {self.classes.tolist()}: use rows of two or more")

    def mixed(self) -> np.ndarray:
        """α · one-hot(y) + (1 − α) · q_T, [N, K] (Hinton et al. 2015, section 2, for students without a temperature).

        Labeled rows sum to 1, unlabeled rows to 1 − α: this is their weight.
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
    """Targets with hard labels only.

    Args:
        labels: [N] indices into `classes`.
        classes: [K].
    """
    unused = np.broadcast_to(1 / max(1, len(classes)), (len(labels), len(classes)))  # a view: it takes no memory
    return DistillationTargets(classes, unused, labels, alpha=1.0)


class Expanded(NamedTuple):
    """Weighted copies of rows, for classifiers that support one class per row."""

    rows: np.ndarray
    """[M] int64: index of the copied row."""
    labels: np.ndarray
    """[M] int64: the copy's class, an index."""
    weights: np.ndarray
    """[M]: the copy's weight; the weights of a row's copies sum to the row's weight."""


def expand(mixed: np.ndarray, keep: float = 1.0) -> Expanded:
    """One copy of each row per class, weighted by the class's probability.

    A weighted log-loss over the copies is the cross-entropy against the distribution. M is up to N · K, and so is the
    memory of the copied features; `keep` below 1 leaves out the least likely classes.

    Args:
        mixed: [N, K] weights of each row's classes, which sum to the row's weight.
        keep: above 0 and at most 1: at least this share of each row's weight is retained, in as few classes as
            possible, and then scaled to the row's weight. Each class is retained in the row where its weight is
            highest, so that no class is lost.
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
    """Log-probabilities minus their mean over classes, [N, K] (Ba & Caruana 2014, section 2.2).

    Args:
        distribution: [N, K]; values are clipped to at least 1e-4.
    """
    logs = np.log(np.maximum(distribution, _FLOOR))
    return logs - logs.mean(axis=1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, [N, K], in float64."""
    shifted = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def aligned(values: np.ndarray, of: np.ndarray, to: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Reorder columns by class, [N, len(to)]; missing classes are filled.

    Args:
        values: [N, len(of)].
        of: the classes of the columns.
        to: the classes of the result, which include all of `of`.
        fill: value of missing classes. For probabilities it is zero: a model never predicts an unknown class.
    """
    if np.array_equal(of, to):
        return values
    columns = {name: column for column, name in enumerate(np.asarray(to).tolist())}
    target_columns = np.full((len(values), len(to)), fill, dtype=np.float64)
    target_columns[:, [columns[name] for name in np.asarray(of).tolist()]] = values
    return target_columns
