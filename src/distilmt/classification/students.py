"""Fitting of each kind of student on soft targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sklearn.base import clone, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from distilmt.classification.regression import ClassifierFromRegressor, RegressionTarget
from distilmt.classification.rows import take
from distilmt.classification.targets import DistillationTargets, expand
from distilmt.classification.types import Estimator, Rows, WeightedClassifier


@dataclass(frozen=True)
class SoftTargetSettings:
    """Settings for students without native support of soft targets."""

    regress: RegressionTarget = "probabilities"
    keep: float = 0.999


def as_classifier(student: Estimator, settings: SoftTargetSettings) -> Estimator:
    """A clone of a student with its regressor (in a pipeline, the last step) wrapped as a classifier."""
    if isinstance(student, Pipeline):
        pipeline: Pipeline = clone(student)
        name, last = pipeline.steps[-1]
        pipeline.steps[-1] = (name, as_classifier(last, settings))
        return pipeline
    own: Estimator = clone(student)
    return ClassifierFromRegressor(own, settings.regress) if is_regressor(student) else own


def check_can_learn(student: Estimator) -> None:
    """Check a student before the teacher's predictions, which may take long.

    Raises:
        ValueError: it has no `fit`, or is a classifier that takes no weights.
    """
    last = student.steps[-1][1] if isinstance(student, Pipeline) else student
    if not any(hasattr(last, name) for name in ("fit", "fit_soft")):
        raise ValueError(f"student {last!r} has no fit: use a classifier, a regressor or a pipeline that ends with one")
    if not is_regressor(last) and not hasattr(last, "fit_soft") and not has_fit_parameter(last, "sample_weight"):
        raise ValueError(
            f"student {type(last).__name__} takes no sample_weight in fit, so it cannot learn soft targets: "
            "use the corresponding regressor (KNeighborsRegressor for KNeighborsClassifier), or NetworkClassifier"
        )


def fit_student(student: Estimator, X: Rows, targets: DistillationTargets, settings: SoftTargetSettings) -> Estimator:
    """Fit a student of any kind.

    - A student with `fit_soft` uses it: `NetworkClassifier`, and regressors wrapped as classifiers.
    - Other classifiers are fitted on one weighted copy of each row per class (`targets.expand`).
    - In a pipeline this applies to the last step; the other steps are fitted on each row once, with its most likely
      class as y.

    Args:
        student: from `as_classifier`; it is fitted in place.
        X: [N] rows.
        targets: targets of these rows.
        settings: settings for students without `fit_soft`.

    Returns:
        The student.
    """
    if isinstance(student, Pipeline):
        last = student.steps[-1][1]
        if len(student.steps) > 1:
            likeliest = targets.classes[targets.mixed().argmax(axis=1)]
            front = student[:-1]
            X = front.fit_transform(X, likeliest)
            student.steps[:-1] = front.steps  # with `memory` they are not the same objects
        fit_student(last, X, targets, settings)
        return student
    if hasattr(student, "fit_soft"):
        own: Estimator = student.fit_soft(X, targets)
        return own
    copies = expand(targets.mixed(), settings.keep)
    labels = targets.classes[copies.labels]
    return cast("WeightedClassifier", student).fit(take(X, copies.rows), labels, sample_weight=copies.weights)
