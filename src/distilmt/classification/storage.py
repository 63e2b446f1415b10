"""Students on disk, without pickle: scikit-learn's parts by skops, a network as safetensors and JSON.

A directory holds `model.json`, and of these what there is: `estimator.skops` (the student, or the steps of a pipeline
before its network) and `network.safetensors`.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from distilmt.classification.network import NetworkClassifier
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory, read_json, write_json

_FORMAT = 1
_ROOTS = ("distilmt.classification.", "sklearn.", "numpy.", "scipy.")


def _move_lazy_modules_last() -> None:
    """Put modules that load their parts when these are wanted behind all others in `sys.modules`.

    skops seeks the home of every NumPy and SciPy function in all loaded modules, in the order of loading. One that
    cannot load a part on the way (transformers' image processors want torchvision) would end that with its error.
    """
    for name, module in list(sys.modules.items()):
        lazy = "__getattr__" in getattr(module, "__dict__", {}) or hasattr(type(module), "__getattr__")
        if lazy and not f"{name}.".startswith(_ROOTS):
            sys.modules[name] = sys.modules.pop(name)


_move_lazy_modules_last()
from skops import io  # noqa: E402

_MODEL, _ESTIMATOR, _NETWORK = "model.json", "estimator.skops", "network.safetensors"


def save(student: Any, path: str | Path) -> None:
    """Write a fitted classifier to a directory, whole or not at all; one that is there is replaced.

    Args:
        student: `NetworkClassifier`, a classifier of scikit-learn's, `ClassifierFromRegressor`, or a pipeline that
            ends with one. Of a `Distilled` the student is written, without the teacher.
        path: the directory.

    Raises:
        NotFittedError: it is not fitted.
        UserError: it has parts of other types, or `path` is there and is not such a directory.
    """
    student = getattr(student, "student_", student)
    check_is_fitted(student)
    path = Path(path)
    if path.exists() and not (path / _MODEL).exists():
        raise UserError(f"{path} is there and is not a saved classifier: name another directory")
    network, estimator = _divided(student)
    with atomic_directory(path) as directory:
        if estimator is not None:
            io.dump(estimator, directory / _ESTIMATOR, compression=ZIP_DEFLATED)
            _trusted(directory / _ESTIMATOR)
        about: dict[str, Any] = {"format": _FORMAT, "versions": _versions()}
        if network is not None:
            about["network"] = _described(network) | {"step": _name_of_last(student)}
            state = {name: value.contiguous() for name, value in network.network_.state_dict().items()}
            save_file(state, directory / _NETWORK)
            (directory / _NETWORK).chmod(0o644)  # safetensors leaves it to its owner alone
        write_json(directory / _MODEL, about)


def load(path: str | Path) -> Any:
    """The classifier of a directory that `save` wrote, fitted.

    Raises:
        UserError: it is not such a directory, is damaged, or has types that are neither this package's nor
            scikit-learn's, NumPy's or SciPy's.
    """
    path = Path(path)
    about = read_json(path / _MODEL) if (path / _MODEL).exists() else {}
    if about.get("format") != _FORMAT:
        raise UserError(f"{path} is not a classifier of format {_FORMAT}: name a directory that distilmt saved")
    try:
        front = io.load(path / _ESTIMATOR, trusted=_trusted(path / _ESTIMATOR)) if _has(path, _ESTIMATOR) else None
        network = _network(about["network"], path / _NETWORK) if "network" in about else None
    except (OSError, BadZipFile, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be opened: {first}; save the classifier again") from None
    if network is None:
        return front
    if front is None and about["network"]["step"] is None:
        return network
    return Pipeline([*(front.steps if front is not None else []), (about["network"]["step"], network)])


def _has(path: Path, name: str) -> bool:
    return (path / name).exists()


def _divided(student: Any) -> tuple[NetworkClassifier | None, Any]:
    """A network, and what skops writes."""
    if isinstance(student, NetworkClassifier):
        return student, None
    if isinstance(student, Pipeline) and isinstance(student.steps[-1][1], NetworkClassifier):
        return student.steps[-1][1], student[:-1] if len(student.steps) > 1 else None
    return None, student


def _name_of_last(student: Any) -> str | None:
    return student.steps[-1][0] if isinstance(student, Pipeline) else None


def _described(network: NetworkClassifier) -> dict[str, Any]:
    parameters = network.get_params(deep=False)
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = None  # a generator: it has no value of its own
    names = getattr(network, "feature_names_in_", None)
    return {
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "classes": network.classes_.tolist(),
        "dtype": "object" if network.classes_.dtype.kind == "O" else network.classes_.dtype.str,
        "features": network.n_features_in_,
        "feature_names": None if names is None else names.tolist(),
        "updates": network.n_updates_,
    }


def _plain(value: Any) -> Any:
    """What JSON can hold: NumPy's numbers become Python's."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _network(about: dict[str, Any], weights: Path) -> NetworkClassifier:
    parameters = about["parameters"] | {"hidden": tuple(about["parameters"]["hidden"])}
    network = NetworkClassifier(**parameters)
    network.classes_ = np.array(about["classes"], dtype=about["dtype"])
    network.n_features_in_, network.n_updates_ = about["features"], about["updates"]
    if about["feature_names"] is not None:
        network.feature_names_in_ = np.array(about["feature_names"], dtype=object)
    network.network_ = network.build()
    network.network_.load_state_dict(load_file(weights))
    network.network_.eval().requires_grad_(False)
    return network


def _trusted(file: Path) -> list[str]:
    """Types of a skops file that skops itself does not know to be harmless, if they are all of the four packages.

    Raises:
        UserError: some are not. Functions are refused wherever they are from: some run what they are given.
    """
    names = io.get_untrusted_types(file=file)
    for name in names:
        if not _is_allowed(name):
            raise UserError(
                f"{file.name} has the type {name}: only types of distilmt.classification, scikit-learn, NumPy and "
                "SciPy are saved and opened; build the student of these"
            )
    return names


def _is_allowed(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if not _home(module).startswith(_ROOTS):
        return False
    try:
        candidate = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return inspect.isclass(candidate) and _home(candidate.__module__).startswith(_ROOTS)


def _home(module: str) -> str:
    """A module's whole name, and a dot.

    Compiled modules of scikit-learn before 1.8 call themselves by their last name (`_loss`) and stand under both names
    in `sys.modules`. A bare name counts as theirs only if it is the very module: skops takes it from there too.
    """
    own = sys.modules.get(module)
    if own is None or "." in module:
        return f"{module}."
    names = (name for name, each in list(sys.modules.items()) if each is own and name.startswith(_ROOTS))
    return f"{next(names, module)}."


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("distilmt", "numpy", "scikit-learn", "skops", "torch")}
