"""Row access for all kinds of X: arrays, sparse matrices, data frames, texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing


def as_rows(X: Any) -> Any:
    """X in a form that can be indexed by rows: CSR, an unchanged data frame, or an array; texts as [n] objects.

    Raises:
        ValueError: numbers in one dimension, which are ambiguous: one row or one feature.
    """
    if sparse.issparse(X):
        return X.tocsr()
    if isinstance(X, list | tuple) and X and all(isinstance(text, str) for text in X):
        return np.array(X, dtype=object)  # an array of strings would store each with the length of the longest
    X = X if hasattr(X, "iloc") or isinstance(X, np.ndarray) else np.asarray(X)
    if X.ndim < 2 and not (X.ndim == 1 and len(X) and X.dtype.kind in "OUT"):
        raise ValueError(
            f"X has {X.ndim} dimension(s), of {X.dtype}: these are neither rows nor texts. Reshape your data: "
            "X.reshape(-1, 1) if it has one feature, X.reshape(1, -1) if it is one row"
        )
    return X


def take(X: Any, chosen: np.ndarray) -> Any:
    """The chosen rows; indices may repeat."""
    return _safe_indexing(X, chosen)


def check_alike(X: Any, transfer: Any) -> None:
    """Check that the rows of both, from `as_rows`, can be stacked.

    Raises:
        ValueError: their numbers of features differ.
    """
    first, second = X.shape[1:], transfer.shape[1:]
    if first != second:
        raise ValueError(f"transfer has rows of shape {second}, X of shape {first}: give it the features of X")


def stack(first: Any, second: Any) -> Any:
    """Stack compatible rows vertically."""
    if sparse.issparse(first) or sparse.issparse(second):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([first, second], ignore_index=True)
    return np.concatenate([first, second])
