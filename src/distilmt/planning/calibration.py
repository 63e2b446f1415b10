"""Calibration of the cost model: rates and memory of a machine, fitted to finished steps.

Seconds of a kind of work are modeled as t = Σ_i r_i · x_i with rates r_i ≥ 0 (non-negative least squares, Lawson and
Hanson 1974, chapter 23). The x_i are the drivers of `planning.step_costs`; the first one counts starts. This extends
t = a + b · updates · FLOPs by terms that do not grow with FLOPs. Errors are relative, so that short and long runs have
equal weight, and absolute instead of squared, so that a step that another program slowed down has little influence
(least absolute deviations by reweighting, Schlossmacher 1973).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np

from distilmt.config import RunConfig
from distilmt.planning.corpus_statistics import CorpusStatistics
from distilmt.planning.step_costs import CostDrivers, RunMeasurements, StepCost, read_measurements, step_costs
from distilmt.utils.dates import date_for_reports
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.machine_info import MachineInfo, machine
from distilmt.utils.run_dir import StepRecord, fingerprint, read_json, read_step, write_json
from distilmt.utils.step_results import LabelResult, ModelResult, result_of

T = TypeVar("T")
KINDS = ("training", "validation", "labeling")
_FORMER_KINDS = {"labelling": "labeling"}
"""Kinds by their names in files of older versions."""
_ROUNDS, _SMALL_ERROR = 12, 0.02
STEPS = ("teacher", "labels", "student", "baseline")


@dataclass
class Observation:
    """Some work, and its time."""

    step: str
    kind: str
    drivers: CostDrivers
    seconds: float


@dataclass
class CostRates:
    """Calibrated rates of a machine."""

    seconds: dict[str, CostDrivers]
    """Seconds per unit of each driver, by kind of work."""
    memory: float
    """Bytes of a process besides its tensors: libraries, kernels, cached memory."""
    source: str
    """Runs used for the calibration."""
    date: str
    machine: MachineInfo
    longest: float
    """Seconds of their longest step."""
    error: dict[str, float]
    """Largest error of the fit on its own data, in percent, by kind of work."""
    observations: list[JsonObject] = field(default_factory=list)
    """The calibration's `Observation`s."""


def nonnegative_least_squares(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The x ≥ 0 that minimizes |features · x − values|, by trying every subset of the few columns.

    Args:
        features: [n, m]; m up to a dozen.
        values: [n].

    Returns:
        [m]; zero for unused columns. Of equally good subsets, the one with the fewest columns.
    """
    scale = np.linalg.norm(features, axis=0)
    usable = [i for i in range(features.shape[1]) if scale[i] > 0]
    best, least = np.zeros(features.shape[1]), float(values @ values)
    for size in range(1, len(usable) + 1):
        for chosen in combinations(usable, size):
            columns = features[:, chosen] / scale[list(chosen)]
            x = np.linalg.lstsq(columns, values, rcond=None)[0]
            residuals = columns @ x - values
            loss = float(residuals @ residuals)
            if (x >= 0).all() and loss < least * (1 - 1e-9):
                least, best = loss, np.zeros(features.shape[1])
                best[list(chosen)] = x / scale[list(chosen)]
    return best


def fit_kind(observations: Sequence[Observation], kind: str) -> CostDrivers | None:
    """Seconds per unit of each driver; None without observations of the kind.

    With fewer observations than drivers, only the time per floating-point operation is fitted.
    """
    seen = [o for o in observations if o.kind == kind and o.seconds > 0]
    if not seen:
        return None
    names = list(seen[0].drivers)
    if len(seen) < len(names):
        whole = sum(_flops(o.drivers) for o in seen)
        rate = sum(o.seconds for o in seen) / whole if whole else 0.0
        return {name: rate if name.endswith("FLOPs") else 0.0 for name in names}
    features = np.array([[o.drivers[name] / o.seconds for name in names] for o in seen])
    return dict(zip(names, _robust(features, np.ones(len(seen))).tolist(), strict=True))


def _robust(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`nonnegative_least_squares` with absolute instead of squared errors."""
    x = nonnegative_least_squares(features, values)
    for _ in range(_ROUNDS):
        weights = 1 / np.sqrt(np.maximum(np.abs(features @ x - values), _SMALL_ERROR))
        x = nonnegative_least_squares(features * weights[:, None], values * weights)
    return x


def _flops(drivers: CostDrivers) -> float:
    return sum(value for name, value in drivers.items() if name.endswith("FLOPs"))


def predict_seconds(rates: Mapping[str, CostDrivers], drivers: Mapping[str, CostDrivers]) -> float | None:
    """Predicted seconds of work; None if a rate is missing."""
    if not drivers or any(kind not in rates for kind in drivers):
        return None
    return sum(
        rates[kind].get(name, 0.0) * value for kind, amounts in drivers.items() for name, value in amounts.items()
    )


def observations_of(config: RunConfig, text: CorpusStatistics) -> tuple[list[Observation], list[tuple[float, int]]]:
    """Work and time of the finished steps of a run.

    Returns:
        Observations, and the tensor bytes and peak memory of every step.
    """
    observations: list[Observation] = []
    memory: list[tuple[float, int]] = []
    needed = 0.0
    for work, record in finished_steps(config, text, read_measurements(config.paths)):
        if work.memory:
            needed = max(needed, work.memory)  # a process does not release the memory of its last step
            memory.append((needed, record.peak_rss_bytes))
        # The on-policy phase mixes training and labeling, so it calibrates neither.
        if not work.drivers or (work.name == "student" and config.student.on_policy.steps):
            continue
        observations += _parts(work, record)
    return observations, memory


def _parts(work: StepCost, record: StepRecord) -> list[Observation]:
    """Observations of validation and training, separate if the record has both."""
    validating = result_of(ModelResult, record).validation_seconds
    if "labeling" in work.drivers:
        if result_of(LabelResult, record).reused:  # some labels were reused: the time does not fit the work
            return []
        return [Observation(work.name, "labeling", work.drivers["labeling"], record.seconds)]
    if validating is None:
        return [Observation(work.name, "training", work.drivers["training"], record.seconds)]
    return [
        Observation(work.name, "training", work.drivers["training"], record.seconds - validating),
        Observation(work.name, "validation", work.drivers["validation"], validating),
    ]


def finished_steps(
    config: RunConfig, text: CorpusStatistics, measurements: RunMeasurements
) -> list[tuple[StepCost, StepRecord]]:
    """The finished steps of a run, with their records."""
    records = {name: read_step(config.paths.step(name)) for name in (*STEPS, "exports")}
    pairs = [(work, records[work.name]) for work in step_costs(config, text, measurements)]
    return [(work, record) for work, record in pairs if record is not None]


def fit_rates(observations: Sequence[Observation], memory: Sequence[tuple[float, int]], source: str) -> CostRates:
    """Fit rates to all observations.

    Raises:
        UserError: there are none.
    """
    if not observations:
        raise UserError(
            f"{source} has no finished teacher, labels or student to calibrate with: give another, or use --calibrate"
        )
    coefficients = {kind: rates for kind in KINDS if (rates := fit_kind(observations, kind)) is not None}
    errors: dict[str, float] = {}
    for o in observations:
        guess = predict_seconds(coefficients, {o.kind: o.drivers})
        if guess is not None and o.seconds > 0:
            errors[o.kind] = max(errors.get(o.kind, 0.0), 100 * abs(guess / o.seconds - 1))
    return CostRates(
        seconds=coefficients,
        memory=_memory(memory),
        source=source,
        date=date_for_reports(),
        machine=machine(),
        longest=max(o.seconds for o in observations),
        error={kind: round(error, 1) for kind, error in errors.items()},
        observations=[asdict(o) for o in observations],
    )


def _memory(seen: Sequence[tuple[float, int]]) -> float:
    """Memory of a process besides its tensors, the median over steps."""
    return max(0.0, float(np.median([peak - need for need, peak in seen]))) if seen else 0.0


def cache_path() -> Path:
    """File of this machine's rates in the user's cache directory."""
    machine_info = machine()
    name = fingerprint([machine_info["cpu"], machine_info["architecture"], machine_info["gpu"], machine_info["cores"]])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "distilmt" / f"cost-{name}.json"


def save(rates: CostRates, path: Path) -> None:
    """Save rates."""
    write_json(path, asdict(rates))


def _with_kinds(values: Mapping[str, T]) -> dict[str, T]:
    """Values by kind, under the names of today."""
    return {_FORMER_KINDS.get(kind, kind): value for kind, value in values.items()}


def load(path: Path) -> CostRates:
    """Load rates.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    values = read_json(path)
    try:
        rates = CostRates(**values)
        return replace(rates, seconds=_with_kinds(rates.seconds), error=_with_kinds(rates.error))
    except (TypeError, AttributeError):
        raise UserError(f"{path} was written by another version of distilmt: fit again with --calibrate") from None
