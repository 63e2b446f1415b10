"""Copies of estimators: unfitted clones, and clones that share some parameters."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from distilmt.classification.types import Estimator, RandomState


def clone_with_seed(estimator: Estimator, random_state: RandomState = None) -> Estimator:
    """An unfitted clone; each `random_state` in it that is None is drawn from `random_state`, unless that is None."""
    estimator_copy: Estimator = clone(estimator)
    if random_state is None:
        return estimator_copy
    random = check_random_state(random_state)
    names = [
        n for n, v in sorted(estimator_copy.get_params().items()) if n.split("__")[-1] == "random_state" and v is None
    ]
    return estimator_copy.set_params(**{name: random.randint(np.iinfo(np.int32).max) for name in names})


def clone_with_overrides(estimator: Estimator, overrides: dict[str, object]) -> Estimator:
    """scikit-learn's clone, except for the parameters in `overrides`, which are neither copied nor unfitted."""
    parameters = estimator.get_params(deep=False)
    copied = {
        name: overrides[name] if name in overrides else clone(value, safe=False) for name, value in parameters.items()
    }
    estimator_copy: Estimator = type(estimator)(**copied)
    for name in ("_metadata_request", "_sklearn_output_config"):
        if hasattr(estimator, name):
            setattr(estimator_copy, name, copy.deepcopy(getattr(estimator, name)))
    return estimator_copy
