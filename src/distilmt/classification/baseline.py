"""The same student without a teacher."""

from __future__ import annotations

import math

from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from distilmt.classification.distilled import Distilled
from distilmt.classification.network import NetworkClassifier
from distilmt.classification.types import Estimator


def baseline_of(distilled: Distilled) -> Estimator:
    """An unfitted classifier like the student, to be trained on labels only: the difference is due to distillation.

    It has the student's settings and random states, and the same number of updates if the student is trained in
    updates: a network, `SGDClassifier` and `MLPClassifier` (with updates counted in rows and without early stopping).
    Other classifiers are fitted to their optimum, or have the same number of trees or neighbors. Fit it on the X and y
    of the distilled student.

    Args:
        distilled: a fitted estimator, so that the number of updates is known.
    """
    check_is_fitted(distilled, "student_")
    baseline: Estimator = clone(distilled.student_)
    last, trained = _last_step(baseline), _last_step(distilled.student_)
    if isinstance(last, NetworkClassifier) and isinstance(trained, NetworkClassifier):
        last.set_params(updates=trained.n_updates_)
    elif isinstance(last, SGDClassifier | MLPClassifier) and hasattr(trained, "t_"):
        passes = max(1, math.ceil((trained.t_ - 1) / distilled.n_samples_))
        last.set_params(max_iter=passes, tol=None if isinstance(last, SGDClassifier) else 0.0)
        if isinstance(last, MLPClassifier):
            last.set_params(n_iter_no_change=passes)
    return baseline


def _last_step(estimator: Estimator) -> Estimator:
    """The last step of a pipeline; any other estimator itself."""
    last: Estimator = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return last
