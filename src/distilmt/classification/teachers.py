"""Teachers: models that return class probabilities.

A teacher is an estimator with `predict_proba` or `decision_function`, a torch module, a Hugging Face text classifier,
or a list of these, whose probabilities are averaged.
"""

from __future__ import annotations

import warnings
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, cast

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.validation import check_is_fitted
from torch import nn

from distilmt.classification.cloning import clone_with_seed
from distilmt.classification.neural import HuggingFaceTeacher, TorchTeacher, of_scores
from distilmt.classification.rows import as_rows, take
from distilmt.classification.targets import aligned
from distilmt.classification.types import Estimator, RandomState, Rows, RowsLike, ScoredClassifier, Splitter

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PreparedTeacher: TypeAlias = "Estimator | TorchTeacher | HuggingFaceTeacher | list[PreparedTeacher]"
"""A teacher from `as_teacher`."""
System: TypeAlias = (
    "PreparedTeacher | nn.Module | str | Path | tuple[PreTrainedModel, PreTrainedTokenizerBase] | list[System]"
)
"""A teacher as users name it, or a classifier: whatever predicts classes."""

ClassProbabilities = tuple[np.ndarray, np.ndarray]
"""Probabilities [n, K] and the classes of the columns [K]."""


def as_teacher(teacher: object) -> PreparedTeacher:
    """A teacher in the form that the functions below expect.

    Raises:
        UserError: a Hugging Face directory cannot be opened.
        ValueError: the object is not a teacher.
    """
    if isinstance(teacher, list):
        if not teacher:
            raise ValueError("teacher is an empty list: list at least one teacher")
        return [as_teacher(one) for one in teacher]
    if isinstance(teacher, nn.Module):
        return TorchTeacher(teacher)
    if isinstance(teacher, str | Path | tuple):
        return HuggingFaceTeacher(teacher)
    if isinstance(teacher, TorchTeacher | HuggingFaceTeacher):
        return teacher
    if _has_scores(teacher):
        return teacher
    raise ValueError(
        f"teacher {type(teacher).__name__} has neither predict_proba nor decision_function: use a classifier that "
        "has one, a torch module, a Hugging Face directory, or a list of these"
    )


def _has_scores(teacher: object) -> TypeGuard[Estimator]:
    return any(hasattr(teacher, name) for name in ("predict_proba", "decision_function"))


def is_estimator(teacher: object) -> TypeGuard[Estimator]:
    """Whether an object can be fitted."""
    return hasattr(teacher, "fit")


def is_ready(teacher: PreparedTeacher) -> bool:
    """Whether a teacher can predict without a fit (for a list: whether all can)."""
    if isinstance(teacher, list):
        return all(is_ready(one) for one in teacher)
    if not hasattr(teacher, "fit"):
        return True
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return False
    return True


def fitted(
    teacher: PreparedTeacher,
    X: Rows,
    y: np.ndarray | None,
    refit: bool = False,
    random_state: RandomState = None,
) -> PreparedTeacher:
    """The teacher, with unfitted parts cloned and fitted; with `refit`, fitted parts too, if they have `fit`.

    Raises:
        ValueError: a part must be fitted, but y is None.
    """
    if isinstance(teacher, list):
        return [fitted(one, X, y, refit, random_state) for one in teacher]
    if not is_estimator(teacher) or (is_ready(teacher) and not refit):
        return teacher
    if y is None:
        raise ValueError(f"the teacher {type(teacher).__name__} is not fitted and y is None: pass y, or fit it before")
    return clone_with_seed(teacher, random_state).fit(X, y)


def probabilities(teacher: System, X: RowsLike, y_classes: np.ndarray | None = None) -> ClassProbabilities:
    """The probabilities of a fitted teacher for rows.

    Margins become probabilities by softmax, or for two classes by the sigmoid, without calibration: wrap an SVM in
    `CalibratedClassifierCV` to calibrate them. Probabilities of a list are averaged over the union of the classes.

    Args:
        teacher: a fitted teacher.
        X: rows or texts, in the form that the teacher accepts.
        y_classes: classes of y. They are the default classes of a torch module's outputs. Their type decides whether
            the outputs of a Hugging Face classifier are identified by name or by number.

    Raises:
        ValueError: the numbers of outputs and classes differ.
    """
    rows, teacher = as_rows(X), as_teacher(teacher)
    if isinstance(teacher, list):
        return averaged([probabilities(one, rows, y_classes) for one in teacher])
    if isinstance(teacher, HuggingFaceTeacher):
        numeric = y_classes is not None and y_classes.dtype.kind in "iufb"
        return _checked(teacher, teacher.probabilities(rows), teacher.names(numeric))
    if isinstance(teacher, TorchTeacher):
        distribution = teacher.probabilities(rows)
        names = teacher.classes if teacher.classes is not None else y_classes
        return _checked(teacher, distribution, np.arange(distribution.shape[1]) if names is None else np.asarray(names))
    if hasattr(teacher, "predict_proba"):
        return _checked(teacher, np.asarray(teacher.predict_proba(rows), np.float64), teacher.classes_)
    scored = cast("ScoredClassifier", teacher)
    return _checked(teacher, of_scores(np.asarray(scored.decision_function(rows), np.float64)), scored.classes_)


def _predicts(system: object) -> TypeGuard[Estimator]:
    return hasattr(system, "predict")


def as_predictor(system: System) -> System:
    """An unchanged classifier, or a teacher with its files loaded, for repeated predictions."""
    return system if hasattr(system, "predict") else as_teacher(system)


def predict_classes(system: System, X: Rows, y_classes: np.ndarray | None = None) -> np.ndarray:
    """The predicted class of each row, [n]; `y_classes` as in `probabilities`."""
    if _predicts(system):
        return np.asarray(system.predict(X))
    distribution, classes = probabilities(system, X, y_classes)
    return classes[distribution.argmax(axis=1)]


def _checked(teacher: object, distribution: np.ndarray, classes: np.ndarray) -> ClassProbabilities:
    if distribution.shape[1] != len(classes):
        raise ValueError(
            f"teacher {type(teacher).__name__} has {distribution.shape[1]} outputs for the {len(classes)} classes "
            f"{_some_names(classes)}: set its classes, TorchTeacher(module, classes=[...]); an SVC needs "
            "decision_function_shape='ovr'"
        )
    return distribution, np.asarray(classes)


def averaged(predictions: list[ClassProbabilities]) -> ClassProbabilities:
    """Mean of several teachers' probabilities; a class that a teacher does not have counts as probability zero."""
    classes = reduce(union, (names for _, names in predictions))
    return np.mean([aligned(distribution, names, classes) for distribution, names in predictions], axis=0), classes


def union(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Classes of both, sorted.

    Raises:
        ValueError: they have no class in common.
    """
    if not set(a.tolist()) & set(b.tolist()):
        raise ValueError(
            f"the teacher's classes {_some_names(b)} have nothing in common with {_some_names(a)}: use the "
            "same names in y and in the teacher (TorchTeacher and HuggingFaceTeacher take classes=[...])"
        )
    return a if np.array_equal(a, b) else np.union1d(a, b)


def _some_names(classes: np.ndarray) -> str:
    names = [repr(name) for name in classes[:5].tolist()]
    return ", ".join(names) + (", …" if len(classes) > 5 else "")


def crossfitted(
    teacher: PreparedTeacher,
    X: Rows,
    y: np.ndarray,
    cv: int | Splitter,
    random_state: RandomState = None,
) -> ClassProbabilities:
    """Out-of-fold probabilities: each row's come from a clone of the teacher that was not fitted on it.

    A teacher is overconfident on its training rows, where its soft targets contain little more than the label.

    A clone without any training row of a class gives this class probability zero, even for rows of the class. Such rows
    get their label as soft target, and a warning gives their number.

    Args:
        teacher: an estimator, fitted or not, or a list of these.
        X: rows.
        y: [n] labels.
        cv: number of stratified and shuffled folds, or a scikit-learn splitter.
        random_state: for the shuffling, and for clones whose `random_state` is None.

    Raises:
        ValueError: the teacher has no `fit`, or the splitter does not hold out each row once.
    """
    if isinstance(teacher, list):
        return averaged([crossfitted(one, X, y, cv, random_state) for one in teacher])
    if not is_estimator(teacher):
        raise ValueError(f"cv needs a teacher that can be refitted, unlike {type(teacher).__name__}: set cv=None")
    if isinstance(cv, int):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    classes, seen = np.unique(y), np.zeros(len(y), dtype=int)
    distribution, untaught = np.zeros((len(y), len(classes))), np.zeros(len(y), dtype=bool)
    for train, held in check_cv(cv, y, classifier=True).split(X, y):
        fold_distribution, names = probabilities(
            clone_with_seed(teacher, random_state).fit(take(X, train), y[train]), take(X, held)
        )
        distribution[held] = aligned(fold_distribution, names, classes)
        untaught[held] = ~np.isin(y[held], names)
        seen[held] += 1
    if (seen != 1).any():
        raise ValueError("cv must hold out each row once: use a splitter like StratifiedKFold, or a number of folds")
    if untaught.any():
        distribution[untaught] = np.equal.outer(y[untaught], classes)
        _warn(y[untaught])
    return distribution, classes


def _warn(labels: np.ndarray) -> None:
    warnings.warn(
        f"the teacher of a fold saw no row of {_some_names(np.unique(labels))}: {len(labels)} rows of these classes "
        "are learned from their labels only; use a number, or StratifiedKFold, so that all folds have all classes",
        UserWarning,
        stacklevel=2,
    )
