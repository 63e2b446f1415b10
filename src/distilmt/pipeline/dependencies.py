"""What each step's outcome depends on: the keys that can change it, as `config.effects` lists them.

A finished step is compared with the requested one by value, not by hash. A key that was added later with its default,
another spelling of a path, or a bound that was never reached makes no difference.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from distilmt.config import ComputeType, RunConfig, SourceConfig
from distilmt.config.renamed import translated, translated_settings
from distilmt.config.systems import STUDENT, system_name
from distilmt.pipeline import unreached_limits
from distilmt.pipeline.settings import NAMES, WEIGHTS, flat, former_layout, named_inputs
from distilmt.pipeline.step import Step, run_keys
from distilmt.pipeline.step_spec import CHANGED, Differences, StepRules, changed_text
from distilmt.utils.run_dir import StepRecord, read_json, read_step
from distilmt.utils.step_results import EvaluationResult, ExportsResult, result_of


def non_default(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Values that differ from the defaults, at any depth: a key that was added later makes no difference."""
    own: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            inner = non_default(value, default)
            own |= {name: inner} if inner else {}
        elif name not in defaults or value != default:
            own[name] = value
    return own


class StepDependencies:
    """Compares a finished step with the requested one."""

    def __init__(self, step: Step, config: RunConfig, counts: Mapping[str, int]) -> None:
        """Store the values that the comparison needs.

        Args:
            step: the step.
            config: the run.
            counts: rows of the corpus by split, where available: bounds above them have no effect.
        """
        self.step, self.values, self.counts = step, flat(config), counts
        self.directory = config.paths.step(step.name)

    def step_rules(self) -> StepRules:
        """The rules as `run_step` takes them."""
        return StepRules(
            differences=self.differences,
            effective=self.effective,
            resumed=self.resumed,
            reusable=self.reusable,
            unread=self._unread,
            sealed=self.step.sealed,
            outcome=self.step.outcome,
        )

    @property
    def _unread(self) -> frozenset[str]:
        """Settings that do not affect the steps that read this one; more exports make no difference to them."""
        return self.step.unread_keys | ({NAMES} if self.step.name == "exports" else frozenset())

    def comparable_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings in the form that is compared: complete, without keys of no effect, paths and bounds normalized."""
        given = translated_settings(former_layout(self.step, settings))
        by_value = {n: key for n, key in self.step.keys.items() if not key.effect.selects_exports}
        own = {n: key for n, key in by_value.items() if not key.resumed}
        if self.step.name == "report":
            own |= {n: key for n, key in self.step.keys.items() if n not in by_value}
        whole = {name: given.get(name, key.default) for name, key in own.items()}
        everything = self.values | whole
        relevant = {n: self._value(n, v, everything) for n, v in whole.items() if own[n].matters(everything)}
        extra = {name: given[name] for name in (WEIGHTS, NAMES, "updates") if given.get(name)}
        return _without_student_limits(self.step.name, relevant | extra)

    def _value(self, name: str, value: Any, values: Mapping[str, Any]) -> Any:
        holds = run_keys()[name].effect.holds
        if holds == "files":
            return [Path(path).suffix for path in value]
        if name == "corpus.sources":
            return [_source(each) for each in value]
        if holds == "model":
            return [_real_path(path) for path in value] if isinstance(value, list) else _real_path(value)
        return unreached_limits.effective_value(name, value, values, self.counts)

    def effective(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that matter and differ from their defaults, for the fingerprint."""
        relevant = {
            name: value
            for name, value in self.comparable_settings(settings).items()
            if name != NAMES and name not in self._unread
        }
        if relevant.get(WEIGHTS):
            relevant = {name: value for name, value in relevant.items() if not _holds_model(name)}
        defaults = {n: self._value(n, key.default, self.values) for n, key in run_keys().items() if n in relevant}
        return {name: value for name, value in relevant.items() if name not in defaults or value != defaults[name]}

    def resumed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same plus the settings that an unfinished directory depends on."""
        names = {NAMES: settings.get(NAMES)} if settings.get(NAMES) else {}
        own = {name: value for name, value in settings.items() if name in run_keys() and run_keys()[name].resumed}
        unread = {name: value for name, value in self.comparable_settings(settings).items() if name in self._unread}
        return self.effective(settings) | names | own | unread

    def differences(self, record: StepRecord, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> Differences:
        """Inputs and settings in which a finished step differs from the requested one."""
        read = differing_inputs(self.step.name, record.inputs, inputs)
        old, new = self.comparable_settings(record.settings), self.comparable_settings(settings)
        names, _ = new.pop(NAMES, []), old.pop(NAMES, None)
        missing = [name for name in names if name not in _names(record)]
        changes = {NAMES: f"with {', '.join(missing)}"} if missing else {}
        if WEIGHTS in old and WEIGHTS in new and old[WEIGHTS] == new[WEIGHTS]:
            old, new = ({n: v for n, v in each.items() if not _holds_model(n)} for each in (old, new))
        elif WEIGHTS not in old:
            new.pop(WEIGHTS, None)
        finished_step = unreached_limits.FinishedStep(record, {**self.values, **old}, self._log(record))
        for name in {**old, **new}:
            text = changed_text(old.get(name), new.get(name))
            if text and not unreached_limits.same_outcome(name, old.get(name), new.get(name), finished_step):
                changes[name] = text
        return changes | dict.fromkeys(read, CHANGED)

    def _log(self, record: StepRecord) -> tuple[Mapping[str, float], ...]:
        """The training log, if the directory belongs to this record."""
        path = self.directory / "log.json"
        return tuple(read_json(path)) if path.exists() and read_step(self.directory) == record else ()

    def reusable(self, record: StepRecord, differences: Differences) -> list[str] | None:
        """Patterns of the files of exports and evaluation that can be reused."""
        affected = {pattern for name in set(differences) & set(run_keys()) for pattern in run_keys()[name].effect.files}
        if self.step.name == "exports" and set(differences) <= self._unread:
            # A card with the licenses is inside every export in another format, and written anew beside the others.
            with_licenses = not any(name.startswith("export.licenses") for name in differences)
            names = [name for name in _names(record) if with_licenses or not _is_format(name)]
            return [name for name in names if name not in affected]
        if self.step.name == "evaluation" and all(name == NAMES or _affects_files(name) for name in differences):
            files = [f"{name}.{kind}" for name in _names(record) for kind in ("json", "txt")]
            # The systems are timed in turn, so that another system changes the times of all.
            files += ["*.health.json"] if NAMES in differences else ["*.health.json", "speed.json"]
            return [pattern for pattern in files if pattern not in affected]
        return None


def _affects_files(name: str) -> bool:
    return name in run_keys() and bool(run_keys()[name].effect.files)


def _holds_model(name: str) -> bool:
    return name in run_keys() and run_keys()[name].effect.holds == "model"


def _is_format(name: str) -> bool:
    """Whether an export is the student's in another format than CTranslate2."""
    return name.startswith(STUDENT) and name not in {system_name(STUDENT, each) for each in get_args(ComputeType)}


def _names(record: StepRecord) -> list[str]:
    """The systems that were exported or evaluated."""
    if record.name == "exports":
        return list(result_of(ExportsResult, record).bytes)
    return list(result_of(EvaluationResult, record).bleu)


def _without_student_limits(step: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The baseline runs as many updates as the student, whatever limited those."""
    limits = {"student.training.max_steps", "student.training.max_seconds", "student.training.patience"}
    drop = limits if step == "baseline" and "updates" in settings else set()
    return {name: value for name, value in settings.items() if name not in drop}


def _real_path(path: str | None) -> str | None:
    return os.path.realpath(path) if path and os.path.exists(path) else path


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `corpus.sources`: without an id, its rows are named after its file."""
    defaults = {f.name: f.default for f in dataclasses.fields(SourceConfig) if f.default is not dataclasses.MISSING}
    whole = {**defaults, **translated(source, "corpus.sources.")}
    whole.pop("license", None)
    return whole | {"files": [Path(path).name for path in whole.get("files") or []]}


def differing_inputs(step: str, old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Names of the inputs of a step that differ."""
    old, new = dict(old), dict(new)
    if step == "corpus":
        old, new = named_inputs(old), named_inputs(new)
    if step in ("exports", "report"):
        for name in {"corpus", "baseline"} - set(new):
            old.pop(name, None)
    return {name for name in {**old, **new} if old.get(name) != new.get(name)}
