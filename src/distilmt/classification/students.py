"""How each kind of student learns from targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from distilmt.classification.regression import ClassifierFromRegressor, RegressionTarget
from distilmt.classification.rows import take
from distilmt.classification.targets import DistillationTargets, expand


@dataclass(frozen=True)
class SoftTargetSettings:
    """How students learn that know nothing of soft targets."""

    regress: RegressionTarget = "probabilities"
    keep: float = 0.999


def as_classifier(student: Any, settings: SoftTargetSettings) -> Any:
    """A clone of a student in which a regressor has become a classifier; the last step, if it is a pipeline."""
    if isinstance(student, Pipeline):
        pipeline = clone(student)
        name, last = pipeline.steps[-1]
        pipeline.steps[-1] = (name, as_classifier(last, settings))
        return pipeline
    return ClassifierFromRegressor(clone(student), settings.regress) if is_regressor(student) else clone(student)


def check_can_learn(student: Any) -> None:
    """Refuse a student before the teacher is asked, which may take long.

    Raises:
        ValueError: it is nothing to fit, or a classifier that takes no weights.
    """
    last = student.steps[-1][1] if isinstance(student, Pipeline) else student
    if not any(hasattr(last, name) for name in ("fit", "fit_soft")):
        raise ValueError(
            f"student {last!r} has no fit: name a classifier, a regressor or a pipeline that ends with one"
        )
    if not is_regressor(last) and not hasattr(last, "fit_soft") and not has_fit_parameter(last, "sample_weight"):
        raise ValueError(
            f"student {type(last).__name__} takes no sample_weight in fit, so it cannot learn soft targets: "
            "name a regressor of its kind (KNeighborsRegressor for KNeighborsClassifier), or NetworkClassifier"
        )


def fit_student(student: Any, X: Any, targets: DistillationTargets, settings: SoftTargetSettings) -> Any:
    """Fit a student of any kind.

    - One that can `fit_soft` does: `NetworkClassifier`, and regressors, made classifiers.
    - Another classifier sees each row once per class, weighted (`targets.expand`).
    - Of a pipeline the last step learns so; the steps before it see each row once, and as y its likeliest class.

    Args:
        student: from `as_classifier`, and one that can learn; it is fitted itself.
        X: [N] rows.
        targets: of these rows.
        settings: details.

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
        return student.fit_soft(X, targets)
    copies = expand(targets.mixed(), settings.keep)
    return student.fit(take(X, copies.rows), targets.classes[copies.labels], sample_weight=copies.weights)
