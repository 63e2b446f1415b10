"""A regressor as a classifier: it is fitted to the class distribution of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import check_consistent_length, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from distilmt.classification.rows import as_rows
from distilmt.classification.targets import DistillationTargets, centred_logits, of_labels, softmax
from distilmt.classification.types import Estimator, Labels, Rows, RowsLike, WeightedClassifier

if TYPE_CHECKING:
    from sklearn.utils import Tags

RegressionTarget = Literal["logits", "probabilities"]


class ClassifierFromRegressor(ClassifierMixin, BaseEstimator):
    """Least squares (or the regressor's own loss) on probabilities or logits (Ba & Caruana 2014, section 2.2).

    For two classes it fits one output, else K: jointly if the regressor supports it, else with one copy per class.

    Attributes after fitting: `classes_`, `regressor_`, and `n_features_in_` if the regressor has it.
    """

    def __init__(self, regressor: Estimator, on: RegressionTarget = "probabilities") -> None:
        """Set the regressor and its targets.

        Args:
            regressor: it is not changed; a clone is fitted.
            on: `probabilities`, or `logits`: log-probabilities minus their mean over classes. Trees, Ridge and SVR were
                better with probabilities on scikit-learn's digits and breast cancer data: teachers are often so certain
                that extreme values dominate the logits.
        """
        self.regressor = regressor
        self.on = on

    def fit(self, X: RowsLike, y: Labels) -> ClassifierFromRegressor:
        """Learn hard labels: distributions of 0 and 1.

        Args:
            X: rows as the regressor takes them.
            y: [n] labels.
        """
        column = column_or_1d(y, warn=True)
        check_classification_targets(column)
        check_consistent_length(X, column)
        classes, labels = np.unique(column, return_inverse=True)
        return self.fit_soft(X, of_labels(labels, classes))

    def fit_soft(self, X: RowsLike, targets: DistillationTargets) -> ClassifierFromRegressor:
        """Learn the mixed targets of the rows.

        Raises:
            ValueError: `on` is invalid, or rows have different weights and the regressor takes no `sample_weight`.
        """
        if self.on not in ("logits", "probabilities"):
            raise ValueError(f"on is {self.on!r}: use 'logits' or 'probabilities'")
        X, mixed = as_rows(X), targets.mixed()
        validate_data(self, X=X, skip_check_array=True)
        weights = mixed.sum(axis=1)
        distribution = mixed / np.where(weights > 0, weights, 1.0)[:, None]
        regression_targets = centred_logits(distribution) if self.on == "logits" else distribution
        self.classes_ = targets.classes
        self.regressor_ = self._fit(
            X, regression_targets[:, 1] if len(self.classes_) == 2 else regression_targets, weights
        )
        return self

    def _fit(self, X: Rows, regression_targets: np.ndarray, weights: np.ndarray) -> Estimator:
        regressor: Estimator = clone(self.regressor)
        weighted = {} if np.ptp(weights) < 1e-9 else {"sample_weight": weights}
        if weighted and not has_fit_parameter(regressor, "sample_weight"):
            raise ValueError(
                f"{type(regressor).__name__} takes no sample_weight, but transfer rows weigh less than labeled "
                "rows: set alpha=0, or use no transfer"
            )
        if regression_targets.ndim == 2 and not get_tags(regressor).target_tags.multi_output:
            regressor = MultiOutputRegressor(regressor)
        own: Estimator = cast("WeightedClassifier", regressor).fit(X, regression_targets, **weighted)
        return own

    def decision_function(self, X: RowsLike) -> np.ndarray:
        """The regressor's outputs [n, K]; for two classes the difference of second and first, [n]."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: RowsLike) -> np.ndarray:
        """Softmax of the logits, or the probabilities clipped at zero and normalized, [n, K]."""
        scores = self._scores(X)
        if self.on == "logits":
            return softmax(scores)
        positive = np.maximum(scores, 1e-12)  # a row without any positive value becomes uniform
        return positive / positive.sum(axis=1, keepdims=True)

    def predict(self, X: RowsLike) -> np.ndarray:
        """The class with the highest value of each row, [n]."""
        best = self._scores(X).argmax(axis=1)
        return self.classes_[best]

    def _scores(self, X: RowsLike) -> np.ndarray:
        check_is_fitted(self)
        X = as_rows(X)
        validate_data(self, X=X, skip_check_array=True, reset=False)
        predictions = np.asarray(self.regressor_.predict(X), np.float64)
        if len(self.classes_) > 2:
            return predictions
        second = predictions.reshape(-1)
        return np.stack([-second if self.on == "logits" else 1 - second, second], axis=1)

    def __sklearn_tags__(self) -> Tags:
        """Tags: accepts the inputs that the regressor accepts."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.regressor).input_tags
        return tags
