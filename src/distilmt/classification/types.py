"""Types of scikit-learn's conventions: the library itself has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from sklearn.utils import Tags

RandomState: TypeAlias = "int | np.random.RandomState | None"
Labels: TypeAlias = "Sequence[object] | np.ndarray"
"""[n] classes, of any type that can be sorted."""


class Rows(Protocol):
    """[n, …] rows: an array, a sparse matrix in CSR form, a data frame, or an array of texts."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then of features."""

    def __getitem__(self, rows: slice | np.ndarray, /) -> Rows:
        """Some of the rows."""


RowsLike: TypeAlias = "Rows | Sequence[object]"
"""What users give as X: also lists of rows or of texts, and sparse matrices in any form; `rows.as_rows` converts it."""

Transfer: TypeAlias = "RowsLike | Callable[[Rows], RowsLike]"
"""Rows without labels, or a function of X that returns some."""


class Splitter(Protocol):
    """A splitter of scikit-learn for cross-validation."""

    def split(self, X: Rows, y: Labels, groups: Labels | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Indices of the rows for training and of those held out, for every fold."""


class ScoredClassifier(Protocol):
    """A fitted classifier with margins."""

    classes_: np.ndarray

    def decision_function(self, X: Rows) -> np.ndarray:
        """[n, K] margins, or [n] for two classes."""


class WeightedClassifier(Protocol):
    """An estimator whose `fit` takes weights of the rows."""

    def fit(self, X: Rows, y: Labels, *, sample_weight: np.ndarray = ...) -> Estimator:
        """Fit on weighted rows."""


class Estimator(Protocol):
    """An estimator of scikit-learn; what else one has, such as `predict_proba`, is checked where it is used."""

    classes_: np.ndarray
    """[K] classes, after the fit of a classifier."""

    def fit(self, X: Rows, y: Labels) -> Estimator:
        """Fit on rows and labels; many take `sample_weight` too."""

    def predict(self, X: Rows) -> np.ndarray:
        """[n] classes, or values of a regressor."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Parameters by name."""

    def set_params(self, **params: object) -> Estimator:
        """Set parameters by name."""

    def __sklearn_tags__(self) -> Tags:
        """What the estimator accepts."""
