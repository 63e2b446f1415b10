"""Rows of whatever X is: arrays, sparse matrices, data frames, texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing


def as_rows(X: Any) -> Any:
    """X such that it can be indexed by rows: CSR, a data frame as it is, else an array; texts as [n] objects.

    Raises:
        ValueError: numbers in one dimension, which may be one row or one feature.
    """
    if sparse.issparse(X):
        return X.tocsr()
    if isinstance(X, list | tuple) and X and all(isinstance(text, str) for text in X):
        return np.array(X, dtype=object)  # an array of strings would give each the room of the longest
    X = X if hasattr(X, "iloc") or isinstance(X, np.ndarray) else np.asarray(X)
    if X.ndim < 2 and not (X.ndim == 1 and len(X) and X.dtype.kind in "OUT"):
        raise ValueError(
            f"X has {X.ndim} dimension(s), of {X.dtype}, and neither rows nor texts. Reshape your data: "
            "X.reshape(-1, 1) if it has one feature, X.reshape(1, -1) if it is one row"
        )
    return X


def take(X: Any, chosen: np.ndarray) -> Any:
    """Some rows, which may be there several times."""
    return _safe_indexing(X, chosen)


def check_alike(X: Any, transfer: Any) -> None:
    """Refuse rows that cannot stand below one another, both from `as_rows`.

    Raises:
        ValueError: their features are not as many.
    """
    first, second = X.shape[1:], transfer.shape[1:]
    if first != second:
        raise ValueError(f"transfer has rows of shape {second}, X of shape {first}: give it the features of X")


def stack(first: Any, second: Any) -> Any:
    """One below the other; rows that are alike."""
    if sparse.issparse(first) or sparse.issparse(second):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([first, second], ignore_index=True)
    return np.concatenate([first, second])
