"""A comparison: a run's configuration, and the methods that differ from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.bounds import check_bounds
from distilmt.config.commands import CompareConfig, CompareOptions
from distilmt.config.fields import suggestion
from distilmt.config.flags import one_path, split_arguments
from distilmt.config.jobs import check_jobs
from distilmt.config.parsing import parse_values
from distilmt.config.run_loading import load_values, merge
from distilmt.config.yaml_file import read_yaml
from distilmt.utils.errors import UserError

_COMPARISON = ("methods", "seeds", "baseline")
_OF_METHODS = ("student", "labels")


def load_comparison(arguments: Sequence[str]) -> CompareConfig:
    """A comparison: `CONFIG.yaml [--only NAMES] [--seeds NUMBERS] [--jobs N] [--KEY VALUE …]`.

    The file has a run's keys and also `methods`, `seeds` and `baseline`; NAMES and NUMBERS are separated by commas.

    Raises:
        UserError: as `load`; or methods differ in more than the student's method, or in the number of updates.
    """
    given = split_arguments(arguments, CompareOptions, RunConfig)
    path = one_path(given, "a YAML file, such as configs/compare-multi30k.yaml")
    options, flags = parse_values(CompareOptions, {}, given.of(CompareOptions)), given.of(RunConfig)
    values = read_yaml(path)
    methods, seeds, baseline = (values.pop(key, None) for key in _COMPARISON)
    _check_methods(path, methods, seeds)
    baseline = str(baseline or next(iter(methods)))
    for name in [baseline, *options.only]:
        if name not in map(str, methods):
            raise UserError(f"{path}: {name!r} is no method{suggestion(name, list(map(str, methods)))}")
    names = {baseline, *(options.only or map(str, methods))}
    run = load_values(values, path, flags)
    runs = {
        str(name): load_values(merge(values, changes or {}), path, flags)
        for name, changes in methods.items()
        if str(name) in names
    }
    config = CompareConfig(run, runs, options.seeds or seeds or [1, 2, 3], baseline, options.jobs)
    _check_budgets(config, path)
    check_bounds(config)
    check_jobs(config.jobs)
    return config


def _check_methods(path: Path, methods: object, seeds: object) -> None:
    if not isinstance(methods, dict) or len(methods) < 2:
        raise UserError(f"{path}: methods must name at least two methods, each with the keys in which it differs")
    for name, changes in methods.items():
        if not re.fullmatch(r"[\w.+-]+", str(name)) or str(name).startswith("."):
            raise UserError(f"{path}: method {name!r}: use letters, digits and - _ + . in its name")
        if not isinstance(changes or {}, dict) or set(changes or {}) - set(_OF_METHODS):
            raise UserError(f"{path}: method {name!r} may have keys of {' and '.join(_OF_METHODS)} alone")
    if seeds is not None and not (isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)):
        raise UserError(f"{path}: seeds must be a list of whole numbers, such as [1, 2, 3]")


def _check_budgets(config: CompareConfig, path: Path) -> None:
    """Methods are compared at equal updates: longer training alone would win the comparison."""
    base = config.run.student
    for name, run in config.methods.items():
        student, training = run.student, run.student.training
        if (student.all_updates, training.batch_tokens) != (base.all_updates, base.training.batch_tokens):
            raise UserError(f"{path}: method {name!r} has a different number of updates: set the same for all methods")
        if training.max_seconds is not None:
            raise UserError(f"{path}: student.training.max_seconds must be null: methods are compared at equal updates")
