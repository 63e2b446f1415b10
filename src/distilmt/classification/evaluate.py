"""Compare classifiers: accuracy, calibration, agreement with the teacher, size and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.utils import check_consistent_length, column_or_1d

from distilmt.classification.footprint import size_of, speeds
from distilmt.classification.rows import as_rows
from distilmt.classification.teachers import System, as_predictor, predict_classes, probabilities
from distilmt.classification.types import Labels, Rows, RowsLike
from distilmt.utils.errors import UserError
from distilmt.utils.statistics import expected_calibration_error


@dataclass(frozen=True)
class Interval:
    """A value and its 95% bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Difference of a system and the baseline on the same rows."""

    accuracy: Interval
    macro_f1: Interval
    accuracy_p: float
    """Two-sided p-value of a paired bootstrap over rows (as in sacreBLEU: shifted to the null hypothesis)."""
    macro_f1_p: float
    """The same for macro-F1."""
    mcnemar_p: float
    """Exact two-sided test of McNemar (1947) on the rows that only one of the two predicts correctly."""


@dataclass(frozen=True)
class ClassifierScores:
    """Scores of one system; shares are between 0 and 1, None means not measurable."""

    name: str
    accuracy: Interval
    macro_f1: Interval
    """Unweighted mean of F1 over the classes that occur in labels or predictions."""
    ece: float | None
    """Expected calibration error over 15 bins; None without probabilities or margins."""
    agreement: float | None
    """Share of rows with the teacher's prediction."""
    bytes: int | None
    """Size on disk: of the output of `save`, of a Hugging Face directory, or of a module's weights."""
    latency_ms: float
    """Median milliseconds of single-row predictions."""
    rows_per_second: float
    """Median throughput with all rows at once."""
    against: PairedDifference | None
    """None for the baseline itself."""


def compare(
    systems: Mapping[str, System],
    X: RowsLike,
    y: Labels,
    *,
    baseline: str | None = None,
    teacher: System | str | None = None,
    samples: int = 1000,
    seed: int = 12345,
) -> list[ClassifierScores]:
    """Measure fitted systems on rows that none of them has seen.

    All use the same resamples and are timed in turn (A B C, A B C), in this process and with their own threads.

    Args:
        systems: classifiers, `Distilled`, or other teachers, by name.
        X: [n] rows or texts.
        y: [n] labels.
        baseline: the name of the system that the others are compared with.
        teacher: a teacher or the name of a system, for measuring agreement.
        samples: number of bootstrap resamples.
        seed: seed of the resampling.

    Raises:
        UserError: a name is not in `systems`, or there are no rows.
        ValueError: X and y differ in length, or a system has no class of y.
    """
    rows, labels = _checked_rows(X, y, samples)
    _check_names(systems, baseline, teacher)
    y_classes = np.unique(labels)
    systems = {name: as_predictor(system) for name, system in systems.items()}
    predictions = {name: _predict(system, rows, y_classes) for name, system in systems.items()}
    resamples = {name: _resampled(labels, prediction.labels, samples, seed) for name, prediction in predictions.items()}
    speed_by_name = speeds(systems, rows, y_classes)
    teacher_labels = _teacher_labels(teacher, systems, rows, y_classes)
    return [
        ClassifierScores(
            name=name,
            accuracy=_interval(resamples[name][:, 0]),
            macro_f1=_interval(resamples[name][:, 1]),
            ece=predictions[name].calibration_error(labels),
            agreement=_agreement(predictions[name].labels, teacher_labels),
            bytes=size_of(system),
            latency_ms=speed_by_name[name].latency_ms,
            rows_per_second=speed_by_name[name].rows_per_second,
            against=_difference(labels, predictions, resamples, name, baseline),
        )
        for name, system in systems.items()
    ]


def _checked_rows(X: RowsLike, y: Labels, samples: int) -> tuple[Rows, np.ndarray]:
    rows, labels = as_rows(X), column_or_1d(y)
    check_consistent_length(rows, labels)
    if not len(labels) or samples < 1:
        raise UserError(f"{len(labels)} rows and {samples} samples: give at least one of each")
    return rows, labels


def _teacher_labels(
    teacher: System | str | None, systems: Mapping[str, System], rows: Rows, y_classes: np.ndarray
) -> np.ndarray | None:
    """The teacher's class of each row, [n]; None without a teacher."""
    if teacher is None:
        return None
    system = systems[teacher] if isinstance(teacher, str) else teacher
    return predict_classes(as_predictor(system), rows, y_classes)


def _agreement(labels: np.ndarray, teacher_labels: np.ndarray | None) -> float | None:
    """Fraction of rows, [n] labels each, on which a system and the teacher agree; None without a teacher."""
    return None if teacher_labels is None else float((labels == teacher_labels).mean())


def _check_names(systems: Mapping[str, System], baseline: str | None, teacher: System | str | None) -> None:
    for name in [baseline, teacher] if isinstance(teacher, str) else [baseline]:
        if name is not None and name not in systems:
            raise UserError(f"{name!r} is not one of the systems: use one of {', '.join(systems)}")


@dataclass(frozen=True)
class _Prediction:
    labels: np.ndarray
    distribution: np.ndarray | None
    """[n, K]."""
    classes: np.ndarray | None

    def calibration_error(self, y: np.ndarray) -> float | None:
        if self.distribution is None or self.classes is None:
            return None
        right = self.classes[self.distribution.argmax(axis=1)] == y
        return expected_calibration_error(self.distribution.max(axis=1), right)


def _predict(system: System, X: Rows, y_classes: np.ndarray) -> _Prediction:
    labels = predict_classes(system, X, y_classes)
    if hasattr(system, "predict") and not any(hasattr(system, n) for n in ("predict_proba", "decision_function")):
        return _Prediction(labels, None, None)
    return _Prediction(labels, *probabilities(system, X, y_classes))


def _resampled(y: np.ndarray, predicted: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Accuracy and macro-F1 of the original rows, then of every resample: [1 + samples, 2], reproducible by seed."""
    classes, random = np.union1d(y, predicted), np.random.default_rng(seed)
    true, predicted_indices = np.searchsorted(classes, y), np.searchsorted(classes, predicted)
    metrics = [_accuracy_and_macro_f1(true, predicted_indices, len(classes))]
    for _ in range(samples):
        draw = random.integers(len(y), size=len(y))
        metrics.append(_accuracy_and_macro_f1(true[draw], predicted_indices[draw], len(classes)))
    return np.array(metrics)


def _accuracy_and_macro_f1(true: np.ndarray, predicted: np.ndarray, classes: int) -> tuple[float, float]:
    right = np.bincount(true[true == predicted], minlength=classes)
    both = np.bincount(true, minlength=classes) + np.bincount(predicted, minlength=classes)
    return float(right.sum() / len(true)), float((2 * right[both > 0] / both[both > 0]).mean())


def _interval(values: np.ndarray) -> Interval:
    """Interval of a value, from the value and its resamples."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))


def _difference(
    y: np.ndarray,
    predictions: Mapping[str, _Prediction],
    resamples: Mapping[str, np.ndarray],
    name: str,
    baseline: str | None,
) -> PairedDifference | None:
    """A system against the baseline; None for the baseline itself, and without one."""
    if baseline is None or name == baseline:
        return None
    right, other = (predictions[each].labels == y for each in (name, baseline))
    less = resamples[name] - resamples[baseline]
    only, lost = int((right & ~other).sum()), int((~right & other).sum())
    mcnemar = float(binomtest(only, only + lost).pvalue) if only + lost else 1.0
    return PairedDifference(
        accuracy=_interval(less[:, 0]),
        macro_f1=_interval(less[:, 1]),
        accuracy_p=_p(less[:, 0]),
        macro_f1_p=_p(less[:, 1]),
        mcnemar_p=mcnemar,
    )


def _p(values: np.ndarray) -> float:
    """p-value: share of resamples whose distance from their mean is at least the observed difference."""
    if values[0] == 0:
        return 1.0
    beyond = np.abs(values[1:] - values[1:].mean()) >= abs(values[0]) - 1e-12
    return float((beyond.sum() + 1) / len(values))


def markdown(scores: Sequence[ClassifierScores]) -> str:
    """A Markdown table of scores, one line per system, shares in percent."""
    head = "| system | accuracy | macro-F1 | ECE | agreement | bytes | ms/row | accuracy against baseline | McNemar p |"
    return "\n".join([head, "| --- |" + " ---: |" * 8, *(_line(one) for one in scores)]) + "\n"


def _line(one: ClassifierScores) -> str:
    against = one.against
    cells = [
        one.name,
        _percent(one.accuracy),
        _percent(one.macro_f1),
        "" if one.ece is None else f"{100 * one.ece:.1f}",
        "" if one.agreement is None else f"{100 * one.agreement:.1f}",
        "" if one.bytes is None else f"{one.bytes:,}",
        f"{one.latency_ms:.2f}",
        "" if against is None else f"{_percent(against.accuracy, '+')} (p = {against.accuracy_p:.3f})",
        "" if against is None else f"{against.mcnemar_p:.3f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _percent(one: Interval, sign: str = "") -> str:
    return f"{100 * one.value:{sign}.1f} [{100 * one.low:{sign}.1f}, {100 * one.high:{sign}.1f}]"
