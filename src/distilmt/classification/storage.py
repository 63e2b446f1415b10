"""Save students without pickle: scikit-learn's parts with skops, a network as safetensors and JSON.

A directory contains `model.json`, and if applicable `estimator.skops` (the student, or the steps of a pipeline before
its network) and `network.safetensors`.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module, metadata
from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from distilmt.classification.network import NetworkClassifier
from distilmt.classification.types import Estimator
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_directory, read_json, write_json
from distilmt.utils.unpacking import ZIP_ERRORS

_FORMAT = 1
_ROOTS = ("distilmt.classification.", "sklearn.", "numpy.", "scipy.")


def _move_lazy_modules_last() -> None:
    """Move modules with lazy imports to the end of `sys.modules`.

    skops searches all loaded modules, in this order, for the module of every NumPy and SciPy function. A lazy import
    that fails during the search (transformers' image processors need torchvision) would abort it.
    """
    for name, module in list(sys.modules.items()):
        lazy = "__getattr__" in getattr(module, "__dict__", {}) or hasattr(type(module), "__getattr__")
        if lazy and not f"{name}.".startswith(_ROOTS):
            sys.modules[name] = sys.modules.pop(name)


_move_lazy_modules_last()
from skops import io  # noqa: E402

_MODEL, _ESTIMATOR, _NETWORK = "model.json", "estimator.skops", "network.safetensors"


def save(student: Estimator, path: str | Path) -> None:
    """Write a fitted classifier to a directory atomically; an existing one is replaced.

    Args:
        student: `NetworkClassifier`, a scikit-learn classifier, `ClassifierFromRegressor`, or a pipeline that ends with
            one. For a `Distilled`, only the student is written, without the teacher.
        path: the directory.

    Raises:
        NotFittedError: it is not fitted.
        UserError: it has parts of other types, or `path` exists and is not such a directory.
    """
    student = getattr(student, "student_", student)
    check_is_fitted(student)
    path = Path(path)
    if path.exists() and not (path / _MODEL).exists():
        raise UserError(f"{path} exists and is not a saved classifier: use another directory")
    network, estimator = _divided(student)
    with atomic_directory(path) as directory:
        if estimator is not None:
            io.dump(estimator, directory / _ESTIMATOR, compression=ZIP_DEFLATED)
            _trusted(directory / _ESTIMATOR)
        about: JsonObject = {"format": _FORMAT, "versions": _versions()}
        if network is not None:
            about["network"] = _described(network) | {"step": _name_of_last(student)}
            state = {name: value.contiguous() for name, value in network.network_.state_dict().items()}
            save_file(state, directory / _NETWORK)
            (directory / _NETWORK).chmod(0o644)  # safetensors makes it readable for its owner only
        write_json(directory / _MODEL, about)


def load(path: str | Path) -> Estimator:
    """The fitted classifier from a directory that `save` wrote.

    Raises:
        UserError: it is not such a directory, is damaged, or has types other than those of this package, scikit-learn,
            NumPy and SciPy.
    """
    path = Path(path)
    about = read_json(path / _MODEL) if (path / _MODEL).exists() else {}
    if about.get("format") != _FORMAT:
        raise UserError(f"{path} is not a classifier of format {_FORMAT}: use a directory that distilmt saved")
    try:
        front: Estimator | None = (
            io.load(path / _ESTIMATOR, trusted=_trusted(path / _ESTIMATOR)) if _has(path, _ESTIMATOR) else None
        )
        network = _network(about["network"], path / _NETWORK) if "network" in about else None
    except (*ZIP_ERRORS, OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be opened: {first}; save the classifier again") from None
    if network is None:
        if front is None:
            raise UserError(f"{path} has no classifier: save the classifier again")
        return front
    if front is None and about["network"]["step"] is None:
        return network
    return Pipeline([*(front.steps if isinstance(front, Pipeline) else []), (about["network"]["step"], network)])


def _has(path: Path, name: str) -> bool:
    return (path / name).exists()


def _divided(student: Estimator) -> tuple[NetworkClassifier | None, Estimator | None]:
    """The network of a student, and the part for skops; either may be None."""
    if isinstance(student, NetworkClassifier):
        return student, None
    if isinstance(student, Pipeline) and isinstance(student.steps[-1][1], NetworkClassifier):
        return student.steps[-1][1], student[:-1] if len(student.steps) > 1 else None
    return None, student


def _name_of_last(student: Estimator) -> str | None:
    return student.steps[-1][0] if isinstance(student, Pipeline) else None


def _described(network: NetworkClassifier) -> JsonObject:
    parameters = network.get_params(deep=False)
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = None  # a generator cannot be stored
    names = getattr(network, "feature_names_in_", None)
    return {
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "classes": network.classes_.tolist(),
        "dtype": "object" if network.classes_.dtype.kind == "O" else network.classes_.dtype.str,
        "features": network.n_features_in_,
        "feature_names": None if names is None else names.tolist(),
        "updates": network.n_updates_,
    }


def _plain(value: object) -> object:
    """A value for JSON: NumPy's numbers become Python's."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _network(about: JsonObject, weights: Path) -> NetworkClassifier:
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
    """Types of a skops file that skops does not trust by default, if all are from the four packages.

    Raises:
        UserError: some are not. Functions are always rejected: some execute their arguments.
    """
    names = io.get_untrusted_types(file=file)
    for name in names:
        if not is_allowed_type(name):
            raise UserError(
                f"{file.name} has the type {name}: only types of distilmt.classification, scikit-learn, NumPy and "
                "SciPy are saved and opened; build the student from these"
            )
    return names


def is_allowed_type(name: str) -> bool:
    """Whether skops may load objects of this type."""
    module, _, attribute = name.rpartition(".")
    if not _home(module).startswith(_ROOTS):
        return False
    try:
        candidate = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return inspect.isclass(candidate) and _home(candidate.__module__).startswith(_ROOTS)


def _home(module: str) -> str:
    """A module's full name, followed by a dot.

    Compiled modules of scikit-learn before 1.8 have a short `__name__` (`_loss`) and are in `sys.modules` under both
    names. A short name is accepted only if it is the same module object, which is also the one that skops uses.
    """
    own = sys.modules.get(module)
    if own is None or "." in module:
        return f"{module}."
    names = (name for name, each in list(sys.modules.items()) if each is own and name.startswith(_ROOTS))
    return f"{next(names, module)}."


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("distilmt", "numpy", "scikit-learn", "skops", "torch")}
