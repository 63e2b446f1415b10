"""`distilmt compare`: a run's configuration, and the methods that differ from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from distilmt.config import RunConfig
from distilmt.config.bounds import MAX_SEED, MAX_THREADS, bounded, bounds, check_bounds
from distilmt.config.failure_limits import FAILURE_LIMITS, FailureLimits, parse_failure_limits
from distilmt.config.fields import FLAG, Flag, suggestion
from distilmt.config.flags import one_path, split_arguments
from distilmt.config.jobs import check_jobs
from distilmt.config.parsing import parse_values
from distilmt.config.run import METHOD_SECTION
from distilmt.config.run_loading import load_values, merge
from distilmt.config.yaml_file import read_yaml
from distilmt.utils.errors import UserError


@dataclass
class CompareConfig:
    """`distilmt compare CONFIG.yaml`: compare methods on the same labels, with the same number of updates."""

    run: RunConfig
    """Shared configuration: corpus, tokenizer, teacher and labels are created once in its run directory."""
    methods: dict[str, RunConfig]
    """By method name: the same run with the method's own `student` and label selection."""
    seeds: list[int] = field(metadata=bounds(0, MAX_SEED))
    """Every method is trained once per seed."""
    baseline: str
    """The method all others are compared with."""
    jobs: int = bounded(1, 1, MAX_THREADS)
    """Number of students trained in parallel, each on its share of the cores."""
    failure_limits: FailureLimits = field(default_factory=FailureLimits)
    """Limits of failure rates; a method above one is not the best."""


@dataclass
class CompareOptions:
    """Options of a comparison besides the keys of a run."""

    only: list[str] = field(default_factory=list, metadata={FLAG: Flag(separated=True)})
    """Names of the methods to train, besides the baseline (`word,sequence`); empty: all of the file."""
    seeds: list[int] | None = field(default=None, metadata=bounds(0, MAX_SEED))
    """Every method is trained once per seed (`1,2`); null: the seeds of the file, else 1, 2 and 3."""
    jobs: int = bounded(1, 1, MAX_THREADS)
    """Number of students trained in parallel, each on its share of the cores: faster for small models."""
    max_failures: list[str] = field(default_factory=list, metadata=FAILURE_LIMITS)
    """Maximum share of failures of the best method on the challenge sets, of validation sentences: `0.05` for all sets,
    `capitals=0.2` for one; empty: no limit."""


@dataclass
class _FileKeys:
    """The keys of the file besides those of a run, as read from YAML."""

    methods: Any = None
    seeds: Any = None
    baseline: Any = None


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
    own = _FileKeys(**{key.name: values.pop(key.name, None) for key in fields(_FileKeys)})
    _check_methods(path, own.methods, own.seeds)
    baseline = str(own.baseline or next(iter(own.methods)))
    for name in [baseline, *options.only]:
        if name not in map(str, own.methods):
            raise UserError(f"{path}: {name!r} is no method{suggestion(name, list(map(str, own.methods)))}")
    names = {baseline, *(options.only or map(str, own.methods))}
    run = load_values(values, path, flags)
    runs = {
        str(name): load_values(merge(values, changes or {}), path, flags)
        for name, changes in own.methods.items()
        if str(name) in names
    }
    seeds, limits = options.seeds or own.seeds or [1, 2, 3], parse_failure_limits(options.max_failures)
    config = CompareConfig(run, runs, seeds, baseline, options.jobs, limits)
    _check_budgets(config, path)
    check_bounds(config)
    check_jobs(config.jobs)
    return config


def _check_methods(path: Path, methods: object, seeds: object) -> None:
    sections = [each.name for each in fields(RunConfig) if METHOD_SECTION in each.metadata]
    if not isinstance(methods, dict) or len(methods) < 2:
        raise UserError(f"{path}: methods must name at least two methods, each with the keys in which it differs")
    for name, changes in methods.items():
        if not re.fullmatch(r"[\w.+-]+", str(name)) or str(name).startswith("."):
            raise UserError(f"{path}: method {name!r}: use letters, digits and - _ + . in its name")
        if not isinstance(changes or {}, dict) or set(changes or {}) - set(sections):
            raise UserError(f"{path}: method {name!r} may have keys of {' and '.join(sections)} alone")
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
