"""A step as requested now, and how it differs from a finished one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilmt.config.renamed import translated_settings
from distilmt.utils.run_dir import StepRecord, fingerprint, read_step

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHANGED = "changed"
"""Text for an input that differs."""

Work = Callable[[Path], "DataclassInstance | None"]
"""Runs a step in a directory; returns its result (`utils.step_results`) for the record."""
Differences = dict[str, str]
"""Differences between a finished step and the requested one: name of a key or an input to `old → new`."""


def all_differences(record: StepRecord, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> Differences:
    """Every input and every key that is not the same."""
    settings = json.loads(json.dumps(settings))
    former = translated_settings(record.settings)
    changes = {key: changed_text(former.get(key), settings.get(key)) for key in {**former, **settings}}
    changed_inputs = {key for key in {*record.inputs, *inputs} if record.inputs.get(key) != inputs.get(key)}
    return {key: text for key, text in changes.items() if text} | dict.fromkeys(changed_inputs, CHANGED)


def changed_text(old: Any, new: Any) -> str:
    """`4 → 5`; empty if both are the same."""
    return "" if old == new else f"{_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


@dataclass(frozen=True)
class StepRules:
    """Which inputs and settings a step's outcome depends on; by default all of them."""

    differences: Callable[[StepRecord, Mapping[str, str], Mapping[str, Any]], Differences] = all_differences
    """Differences that make a finished step outdated; empty if it is up to date."""
    effective: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """The settings that can change the outcome and differ from their defaults: the fingerprint covers these."""
    resumed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """The same plus the settings that matter only for resuming."""
    reusable: Callable[[StepRecord, Differences], list[str] | None] = lambda record, differences: None
    """Patterns of reusable files, which are linked into the new directory; None if there are none."""
    unread: frozenset[str] = frozenset()
    """Keys that do not affect the steps that read this one."""
    sealed: tuple[str, ...] = ()
    """Patterns of the files whose checksums the record holds; if one differs later, the step is not used."""
    outcome: tuple[str, ...] = ()
    """Patterns of the outcome files: if none of them changes, no step that reads them is rerun."""


RULES = StepRules()


@dataclass(frozen=True)
class StepSpec:
    """A step as requested now."""

    directory: Path
    inputs: dict[str, str]
    settings: dict[str, Any]
    rules: StepRules = RULES

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the outcome."""
        return fingerprint([self.inputs, dict(self.rules.effective(self.settings))])

    @property
    def resume_fingerprint(self) -> str:
        """Fingerprint that an unfinished directory must have to be resumed."""
        return fingerprint([self.inputs, dict(self.rules.resumed(self.settings))])

    def differences(self, record: StepRecord) -> Differences:
        """Differences between a record and this step."""
        return self.rules.differences(record, self.inputs, self.settings)

    def matching_record(self, directory: Path) -> StepRecord | None:
        """The record of a directory, if it is finished and matches this step."""
        record = read_step(directory)
        return record if record is not None and not self.differences(record) else None


def describe_differences(differences: Differences) -> str:
    """`labels.beam_size 4 → 5, new teacher`."""
    parts = [f"new {key}" if text == CHANGED else f"{key} {text}" for key, text in sorted(differences.items())]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
