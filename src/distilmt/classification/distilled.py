"""A student that learns from a teacher and from labels, as one scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_regressor
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from distilmt.classification.cloning import clone_with_overrides, clone_with_seed
from distilmt.classification.regression import RegressionTarget
from distilmt.classification.rows import as_rows, check_alike, stack
from distilmt.classification.storage import save
from distilmt.classification.students import SoftTargetSettings, as_classifier, check_can_learn, fit_student
from distilmt.classification.targets import NO_LABEL, DistillationTargets, aligned
from distilmt.classification.teachers import (
    ClassProbabilities,
    System,
    as_teacher,
    crossfitted,
    fitted,
    is_ready,
    probabilities,
    union,
)
from distilmt.classification.types import Estimator, Labels, RandomState, Rows, RowsLike, Splitter, Transfer

if TYPE_CHECKING:
    from sklearn.utils import Tags


def _student_has(name: str) -> Callable[[Distilled], bool]:
    def has(self: Distilled) -> bool:
        last = self.student.steps[-1][1] if hasattr(self.student, "steps") else self.student
        return is_regressor(last) or hasattr(last, name)

    return has


class Distilled(ClassifierMixin, BaseEstimator):
    """A student fitted on α · hard labels + (1 − α) · the teacher's soft targets (Hinton et al. 2015).

    For a network with `fit_soft`, T softens both sides and the soft term is multiplied by T². Any other student learns
    the mixed distribution α · one-hot(y) + (1 − α) · q_T and has no temperature of its own: T above 1 makes its
    probabilities flatter than the teacher's, but does not change its predictions.

    `classes_` is the union of the classes of y and of the teacher. A class that is not in y is learned from the teacher
    (ibid., section 3). A class that the teacher does not have gets soft probability zero and is learned from the
    labels; with alpha=0 this is an error.

    Attributes after fitting: `classes_`, `student_` (the classifier to deploy), `teacher_`, `n_samples_` (rows of X),
    `n_transfer_` (rows that only the teacher labeled), and `n_features_in_`, `feature_names_in_` if X has them.
    """

    def __init__(
        self,
        teacher: System,
        student: Estimator,
        *,
        temperature: float = 1.0,
        alpha: float = 0.5,
        transfer: Transfer | tuple[Transfer, ...] | None = None,
        cv: int | Splitter | None = None,
        refit_teacher: bool = False,
        regress: RegressionTarget = "probabilities",
        keep: float = 0.999,
        random_state: RandomState = None,
    ) -> None:
        """Set teacher, student and the settings of the distillation.

        Args:
            teacher: an estimator with `predict_proba` or `decision_function`, a torch module that returns logits, a
                Hugging Face text classifier (a directory, or a tuple of model and tokenizer), or a list of these, whose
                probabilities are averaged. A fitted teacher is used unchanged, also in clones; an unfitted one is
                cloned and fitted.
            student: `NetworkClassifier`, a classifier whose `fit` takes `sample_weight`, a regressor, or a pipeline
                that ends with one; a clone is fitted.
            temperature: above 0; softens the teacher's distributions.
            alpha: weight of the hard labels, 0 to 1; at 0, y may be None.
            transfer: unlabeled rows (like X) for learning from the teacher, a function of X that returns such rows
                (augmentation), or a tuple of both. Each row has the weight 1 − alpha.
            cv: number of folds, or a splitter: a row's soft target comes from a clone of the teacher that was not
                fitted on it. `teacher_`, fitted on all rows, labels those of `transfer`.
            refit_teacher: whether a fitted teacher is cloned and fitted again.
            regress: targets of regressors, `probabilities` or `logits`.
            keep: share of each row's distribution to retain when rows are copied per class, above 0, at most 1.
            random_state: for the folds, and for teachers and students whose `random_state` is None.
        """
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.alpha = alpha
        self.transfer = transfer
        self.cv = cv
        self.refit_teacher = refit_teacher
        self.regress = regress
        self.keep = keep
        self.random_state = random_state

    def fit(self, X: RowsLike, y: Labels | None = None, **unsupported: object) -> Distilled:
        """Compute the teacher's probabilities, and fit a clone of the student.

        Args:
            X: [n] rows: an array, sparse matrix, data frame, or list of texts, as teacher and student take them.
            y: [n] labels; None only if alpha is 0 and the teacher is fitted.
            unsupported: must be empty; arguments such as `sample_weight` raise an error.

        Raises:
            TypeError: there is an unsupported argument.
            ValueError: a parameter, X or y is invalid.
            UserError: a Hugging Face directory cannot be opened.
        """
        if unsupported:
            raise TypeError(
                f"Distilled.fit takes no {', '.join(unsupported)}: all rows weigh the same; repeat rows that should "
                "weigh more, or fit the teacher with weights first and give it fitted"
            )
        self._check_settings()
        rows = as_rows(X)
        validate_data(self, X=rows, skip_check_array=True)
        labels = self._checked_labels(rows, y)
        seeds = self._seeds()
        X_all, targets = self._targets(rows, labels, seeds)
        student = clone_with_seed(as_classifier(self.student, SoftTargetSettings(self.regress, self.keep)), seeds[2])
        self.student_ = fit_student(student, X_all, targets, SoftTargetSettings(self.regress, self.keep))
        return self

    def _check_settings(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha!r}: the weight of the hard labels must be from 0 to 1")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature!r}: it must be above 0")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is {self.keep!r}: the share of each distribution must be above 0 and at most 1")
        if self.regress not in get_args(RegressionTarget):
            raise ValueError(f"regress is {self.regress!r}: use 'logits' or 'probabilities'")
        check_can_learn(self.student)

    def _checked_labels(self, X: Rows, y: Labels | None) -> np.ndarray | None:
        if y is None:
            if self.alpha > 0 or self.cv is not None:
                raise ValueError(
                    "This Distilled estimator requires y to be passed, but the target y is None: it can be only with "
                    "alpha=0 and cv=None"
                )
            return None
        column: np.ndarray = column_or_1d(y, warn=True)
        check_classification_targets(column)
        check_consistent_length(X, column)
        return column

    def _seeds(self) -> list[int | None]:
        """Random seeds of teacher, folds and student."""
        if self.random_state is None:
            return [None] * 3
        seeds: list[int | None] = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=3).tolist()
        return seeds

    def _targets(self, X: Rows, y: np.ndarray | None, seeds: list[int | None]) -> tuple[Rows, DistillationTargets]:
        """All rows and their targets; sets the attributes."""
        teacher, y_classes = as_teacher(self.teacher), None if y is None else np.unique(y)
        self.teacher_ = fitted(teacher, X, y, self.refit_teacher, seeds[0])
        prediction = probabilities(self.teacher_, X, y_classes) if self.cv is None else None
        predictions = [prediction or crossfitted(teacher, X, y, self.cv, seeds[1])]  # type: ignore[arg-type]
        for rows in self._transfer_rows(X):
            predictions.append(probabilities(self.teacher_, rows, y_classes))
            X = stack(X, rows)
        self.classes_ = self._all_classes(y_classes, predictions)
        soft = np.concatenate([aligned(distribution, names, self.classes_) for distribution, names in predictions])
        self.n_samples_ = len(predictions[0][0])
        self.n_transfer_ = len(soft) - self.n_samples_
        labels = np.full(len(soft), NO_LABEL, dtype=np.int64)
        if y is not None:
            labels[: self.n_samples_] = np.searchsorted(self.classes_, y)
        return X, DistillationTargets(self.classes_, soft, labels, float(self.alpha), float(self.temperature))

    def _transfer_rows(self, X: Rows) -> list[Rows]:
        if self.transfer is None:
            return []
        parts: list[Transfer] = [self.transfer]
        if isinstance(self.transfer, tuple) and not all(isinstance(part, str) for part in self.transfer):
            parts = list(self.transfer)
        row_sets = [as_rows(part(X) if callable(part) else part) for part in parts]
        for rows in row_sets:
            check_alike(X, rows)
        return row_sets

    def _all_classes(self, y_classes: np.ndarray | None, predictions: list[ClassProbabilities]) -> np.ndarray:
        classes = np.unique(predictions[0][1] if y_classes is None else y_classes)
        taught = set()
        for _, names in predictions:
            classes = union(classes, names)
            taught |= set(names.tolist())
        unknown = [name for name in classes.tolist() if name not in taught]
        if unknown and not self.alpha:
            raise ValueError(
                f"the teacher does not know class {unknown[0]!r} of y, and alpha is 0: nothing would teach it; "
                "give alpha above 0, or leave its rows out"
            )
        return classes

    def predict(self, X: RowsLike) -> np.ndarray:
        """The student's predicted class of each row, [n]."""
        rows = self._checked(X)
        return self.student_.predict(rows)

    @available_if(_student_has("predict_proba"))
    def predict_proba(self, X: RowsLike) -> np.ndarray:
        """The student's probabilities, [n, K]; only available if the student has them."""
        rows = self._checked(X)
        return aligned(self._student_method("predict_proba")(rows), self.student_.classes_, self.classes_)

    @available_if(_student_has("decision_function"))
    def decision_function(self, X: RowsLike) -> np.ndarray:
        """The student's scores, [n, K], or [n] for two classes; only available if the student has them."""
        rows = self._checked(X)
        scores = self._student_method("decision_function")(rows)
        if len(self.student_.classes_) == len(self.classes_):
            return scores
        columns = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
        return aligned(columns, self.student_.classes_, self.classes_, fill=-np.inf)

    def _student_method(self, name: str) -> Callable[[Rows], np.ndarray]:
        method: Callable[[Rows], np.ndarray] = getattr(self.student_, name)
        return method

    def _checked(self, X: RowsLike) -> Rows:
        check_is_fitted(self, "student_")
        rows = as_rows(X)
        validate_data(self, X=rows, skip_check_array=True, reset=False)
        return rows

    def save(self, path: str | Path) -> None:
        """Write only the student to a directory, without pickle; `distilmt.classification.load` opens it."""
        check_is_fitted(self, "student_")
        save(self.student_, path)

    def set_params(self, **params: object) -> Distilled:
        """Set parameters, nested ones with `teacher__` and `student__`.

        Raises:
            ValueError: a parameter belongs to a fitted teacher, which would have no effect without refitting.
        """
        refit = params.get("refit_teacher", self.refit_teacher)
        for name in params:
            if name.startswith("teacher__") and not refit and is_ready(as_teacher(params.get("teacher", self.teacher))):
                raise ValueError(f"{name}: the teacher is fitted and used as it is; give refit_teacher=True")
        own: Distilled = super().set_params(**params)
        return own

    def __sklearn_clone__(self) -> Distilled:
        """An unfitted clone. A fitted teacher that is not refitted, and `transfer`, are shared and not copied."""
        overrides: dict[str, object] = {"transfer": self.transfer}
        if not self.refit_teacher:
            overrides["teacher"] = _shared(self.teacher)
        return cast("Distilled", clone_with_overrides(self, overrides))

    def __sklearn_tags__(self) -> Tags:
        """Tags: accepts the inputs that both teacher and student accept."""
        tags: Tags = super().__sklearn_tags__()
        both = [get_tags(part).input_tags for part in (self.teacher, self.student) if hasattr(part, "get_params")]
        tags.input_tags.sparse = all(input_tags.sparse for input_tags in both)
        tags.input_tags.allow_nan = all(input_tags.allow_nan for input_tags in both)
        tags.target_tags.required = bool(self.alpha)
        return tags


def _shared(teacher: System) -> System:
    if isinstance(teacher, list):
        return [_shared(one) for one in teacher]
    if not hasattr(teacher, "fit") or is_ready(as_teacher(teacher)):
        return teacher
    unfitted: Estimator = clone(teacher)
    return unfitted
