"""Calibration of probabilities."""

from __future__ import annotations

import numpy as np

_BINS = 15


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean |accuracy − confidence| over 15 bins of equal width, weighted by their rows (Guo et al. 2017, equation 3).

    Args:
        confidence: `[N]` probabilities of the predictions, 0 to 1.
        right: `[N]` whether the prediction was right.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.abs(np.bincount(bins, right.astype(float) - confidence, _BINS))
    return float(gaps.sum() / len(bins))
