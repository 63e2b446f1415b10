"""Size and speed of classifiers."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distilmt.classification.neural import HuggingFaceTeacher, TorchTeacher
from distilmt.classification.rows import take
from distilmt.classification.storage import save
from distilmt.classification.teachers import System, as_predictor, is_estimator, predict_classes
from distilmt.classification.types import Rows
from distilmt.utils.errors import UserError
from distilmt.utils.sizes import total_bytes

_ROUNDS, _SINGLE = 3, 30


def size_of(system: System) -> int | None:
    """Bytes of a system on disk, summed for a list; None if it can be neither saved nor measured."""
    teacher = as_predictor(system)
    if isinstance(teacher, list):
        sizes = [size_of(one) for one in teacher]
        return None if None in sizes else sum(size for size in sizes if size is not None)
    if isinstance(teacher, TorchTeacher | HuggingFaceTeacher):
        source = getattr(teacher, "source", None)
        if isinstance(source, str | Path) and Path(source).is_dir():
            return total_bytes(Path(source))
        module = teacher.module if isinstance(teacher, TorchTeacher) else teacher.model
        return sum(value.numel() * value.element_size() for value in module.state_dict().values())
    if not is_estimator(teacher):
        return None
    with tempfile.TemporaryDirectory() as directory:
        try:
            save(teacher, Path(directory) / "model")
        except UserError:
            return None
        return total_bytes(Path(directory) / "model")


class PredictionSpeed(NamedTuple):
    """Speed of a system."""

    latency_ms: float
    """Median milliseconds of a prediction for one row."""
    rows_per_second: float
    """Median throughput with all rows at once."""


def speeds(systems: Mapping[str, System], X: Rows, y_classes: np.ndarray) -> dict[str, PredictionSpeed]:
    """Speed of every system; they are timed in turn."""
    count = min(_SINGLE, X.shape[0])
    singles = [take(X, np.array([row])) for row in range(count)]
    single: dict[str, list[float]] = {name: [] for name in systems}
    whole: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(_ROUNDS):
        for name, system in systems.items():
            single[name] += [_seconds(system, row, y_classes) for row in singles]
            whole[name].append(_seconds(system, X, y_classes))
    return {
        name: PredictionSpeed(
            latency_ms=1000 * statistics.median(single[name]),
            rows_per_second=X.shape[0] / statistics.median(whole[name]),
        )
        for name in systems
    }


def _seconds(system: System, X: Rows, y_classes: np.ndarray) -> float:
    before = time.perf_counter()
    predict_classes(system, X, y_classes)
    return max(time.perf_counter() - before, 1e-9)
