"""Row access for all kinds of X: arrays, sparse matrices, data frames, texts."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from distilmt.classification.types import Rows, RowsLike


def as_rows(X: RowsLike) -> Rows:
    """X in a form that can be indexed by rows: CSR, an unchanged data frame, or an array; texts as [n] objects.

    Raises:
        ValueError: numbers in one dimension, which are ambiguous: one row or one feature.
    """
    if sparse.issparse(X) and hasattr(X, "tocsr"):
        csr: Rows = X.tocsr()
        return csr
    if isinstance(X, list | tuple) and X and all(isinstance(text, str) for text in X):
        return np.array(X, dtype=object)  # an array of strings would store each with the length of the longest
    if hasattr(X, "iloc") and hasattr(X, "ndim") and X.ndim == 2:
        return cast("Rows", X)
    rows = X if isinstance(X, np.ndarray) else np.asarray(X)
    if rows.ndim < 2 and not (rows.ndim == 1 and len(rows) and rows.dtype.kind in "OUT"):
        raise ValueError(
            f"X has {rows.ndim} dimension(s), of {rows.dtype}: these are neither rows nor texts. Reshape your data: "
            "X.reshape(-1, 1) if it has one feature, X.reshape(1, -1) if it is one row"
        )
    return rows


def take(X: Rows, chosen: np.ndarray) -> Rows:
    """The chosen rows; indices may repeat."""
    rows: Rows = _safe_indexing(X, chosen)
    return rows


def check_alike(X: Rows, transfer: Rows) -> None:
    """Check that the rows of both, from `as_rows`, can be stacked.

    Raises:
        ValueError: their numbers of features differ.
    """
    first, second = X.shape[1:], transfer.shape[1:]
    if first != second:
        raise ValueError(f"transfer has rows of shape {second}, X of shape {first}: give it the features of X")


def stack(first: Rows, second: Rows) -> Rows:
    """Stack compatible rows vertically."""
    if sparse.issparse(first) or sparse.issparse(second):
        csr: Rows = sparse.vstack([first, second], format="csr")
        return csr
    if hasattr(first, "iloc"):
        import pandas as pd

        frame: Rows = pd.concat([first, second], ignore_index=True)
        return frame
    return np.concatenate([np.asarray(first), np.asarray(second)])
