"""Steps: run once, resumed when interrupted, and rerun next to the finished version, which is never deleted.

A directory is written only if it is empty or contains a step's record, `step.json` or `step.started.json`. A rerun
writes to `NAME.next`; when that is complete, the former directory becomes `NAME.before-DATE`. If a former directory
matches later settings, it is restored instead of being computed again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distilmt.config.renamed import translated_settings
from distilmt.pipeline.step_metrics import measure_step
from distilmt.utils import checksums
from distilmt.utils.dates import date_for_names
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import (
    STARTED_FILE,
    STEP_FILE,
    StepRecord,
    fingerprint,
    fingerprint_files,
    read_step,
    versions,
    write_json,
)

logger = logging.getLogger(__name__)

NEXT, BEFORE = ".next", ".before-"
CHANGED = "changed"
"""Text for an input that differs."""

Work = Callable[[Path], dict[str, Any] | None]
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


def run_step(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], work: Work, rules: StepRules = RULES
) -> StepRecord:
    """Run `work` unless it was finished with the same inputs and settings; resume it if it was interrupted.

    Args:
        directory: the step's final directory; its name is the step's name.
        inputs: name to fingerprint of everything the step reads.
        settings: JSON-like settings, everything the step receives.
        work: runs the step in the directory it is called with, `directory` itself or its `.next`; its return value is
            stored as `result`. An interrupted call may have left files there; `work` must resume from them.
        rules: which inputs and settings matter.

    Returns:
        The finished step's record, with seconds summed over all interrupted calls.

    Raises:
        UserError: the directory contains files that distilmt did not write, or its own files are damaged.
    """
    spec = StepSpec(directory, dict(inputs), json.loads(json.dumps(settings)), rules)
    done = spec.matching_record(directory) or _restore_finished(spec)
    if done is not None:
        checksums.check_step(directory)
        return done
    former = read_step(directory)
    if former is None:
        return _execute(spec, directory, None, work)
    work_dir = directory.with_name(directory.name + NEXT)
    logger.info(
        f"{directory.name} is run again, the finished version is kept: {describe_differences(spec.differences(former))}"
    )
    record = _execute(spec, work_dir, former, work)
    backup = _back_up(directory)
    work_dir.rename(directory)
    logger.info(f"the former {directory.name} is {backup.name} ({_size(backup)}): delete it if you do not need it")
    return record


def finished_record(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], rules: StepRules = RULES
) -> StepRecord | None:
    """The record of a step, if it is finished and up to date."""
    return StepSpec(directory, dict(inputs), json.loads(json.dumps(settings)), rules).matching_record(directory)


def describe_differences(differences: Differences) -> str:
    """`labels.beam_size 4 → 5, another teacher`."""
    parts = [f"another {key}" if text == CHANGED else f"{key} {text}" for key, text in sorted(differences.items())]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")


def backup_directories(directory: Path) -> list[Path]:
    """Backups of a step, the latest first."""
    return sorted(directory.parent.glob(f"{directory.name}{BEFORE}*"), reverse=True)


def check_step_directory(directory: Path) -> None:
    """Check that a step can be run here without overwriting foreign files.

    Raises:
        UserError: the directory contains files but no record of distilmt.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise UserError(f"{directory} is a file, but a step needs a directory of that name: choose another run_dir")
    if any(directory.iterdir()) and not (_is_record(directory / STEP_FILE) or _is_record(directory / STARTED_FILE)):
        raise UserError(
            f"{directory} contains files that distilmt did not write: choose another run_dir, or move {directory} away"
        )


def _is_record(path: Path) -> bool:
    try:
        return "fingerprint" in json.loads(path.read_text(encoding="utf-8")) or path.name == STEP_FILE
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError):
        return True  # damaged: read_step reports it


def _restore_finished(spec: StepSpec) -> StepRecord | None:
    """Restore a finished directory that matches: `.next`, if the last call was killed, or a backup."""
    directory = spec.directory
    for candidate in (directory.with_name(directory.name + NEXT), *backup_directories(directory)):
        record = spec.matching_record(candidate)
        if record is None:
            continue
        backup = _back_up(directory) if directory.exists() else None
        candidate.rename(directory)
        suffix = f"; the former one is now {backup.name}" if backup else ""
        logger.info(f"{directory.name}: reusing {candidate.name}, which matches the settings{suffix}")
        return record
    return None


def _execute(spec: StepSpec, work_dir: Path, former: StepRecord | None, work: Work) -> StepRecord:
    """Run the work in a directory, and write its record last."""
    check_step_directory(work_dir)
    before = _prepare_work_dir(spec, work_dir, former)
    with measure_step(work_dir, spec.resume_fingerprint, before) as meter:
        result = work(work_dir) or {}
    record = StepRecord(
        spec.directory.name,
        spec.fingerprint,
        spec.inputs,
        spec.settings,
        round(meter.seconds, 3),
        meter.peak_rss_bytes,
        versions(),
        result,
        checksums.checksums(work_dir, spec.rules.sealed),
    )
    if former is not None and _has_same_outcome(spec, work_dir, former):
        record = replace(record, fingerprint=former.fingerprint)
    write_json(work_dir / STEP_FILE, asdict(record))
    (work_dir / STARTED_FILE).unlink(missing_ok=True)
    return record


def _has_same_outcome(spec: StepSpec, work_dir: Path, former: StepRecord) -> bool:
    """Whether the outcome is the same for the steps that read this one."""
    if set(spec.differences(former)) <= spec.rules.unread:
        return True
    patterns = spec.rules.outcome
    outcome = _contents(work_dir, patterns)
    return bool(outcome) and outcome == _contents(spec.directory, patterns)


def _contents(directory: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    files = {path for pattern in patterns for path in directory.glob(pattern) if path.is_file()}
    files = {path for path in files if path.name not in (STEP_FILE, STARTED_FILE)}
    return {path.relative_to(directory).as_posix(): fingerprint_files(path) for path in files}


def _prepare_work_dir(spec: StepSpec, work_dir: Path, former: StepRecord | None) -> dict[str, Any]:
    """Prepare a directory: resumed if unfinished with the same settings; otherwise new, with the reusable files."""
    before = _unfinished_record(work_dir)
    if before.get("fingerprint") == spec.resume_fingerprint:
        _remove_strays(work_dir)
        return before
    _back_up_unfinished(work_dir, spec.directory)
    unfinished = _find_unfinished(spec)
    if unfinished is not None:
        work_dir.rmdir() if work_dir.exists() else work_dir.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(work_dir)
        logger.info(f"{spec.directory.name}: resumes from {unfinished.name}")
        return _prepare_work_dir(spec, work_dir, former)
    work_dir.mkdir(parents=True, exist_ok=True)
    if former is not None:
        _link_reusable(spec, work_dir, former)
    before = {"fingerprint": spec.resume_fingerprint, "seconds": 0.0, "peak_rss_bytes": 0}
    write_json(work_dir / STARTED_FILE, before)
    return before


def _unfinished_record(work_dir: Path) -> dict[str, Any]:
    """The start record of an unfinished directory; empty if it is finished or was never started."""
    try:
        record = json.loads((work_dir / STARTED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and not (work_dir / STEP_FILE).exists() else {}


def _find_unfinished(spec: StepSpec) -> Path | None:
    """An unfinished backup that can be resumed with the requested settings."""
    backups = backup_directories(spec.directory)
    return next(
        (backup for backup in backups if _unfinished_record(backup).get("fingerprint") == spec.resume_fingerprint), None
    )


def _back_up_unfinished(work_dir: Path, directory: Path) -> None:
    """Back up the unfinished directory of another call: it may contain responses that cost money."""
    if work_dir.is_dir() and {path.name for path in work_dir.iterdir()} - {STARTED_FILE}:
        backup = _back_up(work_dir, directory.name)
        logger.info(f"{work_dir.name} was started with other settings: it is now {backup.name} ({_size(backup)})")
    else:
        (work_dir / STARTED_FILE).unlink(missing_ok=True)


def _link_reusable(spec: StepSpec, work_dir: Path, former: StepRecord) -> None:
    """Link the reusable files."""
    patterns = spec.rules.reusable(former, spec.differences(former))
    for path in {path for pattern in patterns or () for path in spec.directory.glob(pattern)}:
        target = work_dir / path.relative_to(spec.directory)
        if path.is_dir():
            shutil.copytree(path, target, copy_function=_link_or_copy, dirs_exist_ok=True)
        elif path.name not in (STEP_FILE, STARTED_FILE):
            _link_or_copy(str(path), str(target))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)  # files are replaced, never written in place, so both copies stay unchanged
    except OSError:
        shutil.copy2(source, target)


def _back_up(directory: Path, name: str | None = None) -> Path:
    stamp = date_for_names()
    backup = directory.with_name(f"{name or directory.name}{BEFORE}{stamp}")
    number = 1
    while backup.exists():
        number += 1
        backup = backup.with_name(f"{name or directory.name}{BEFORE}{stamp}-{number}")
    directory.rename(backup)
    return backup


def _size(directory: Path) -> str:
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6
    return f"{size / 1e3:.1f} GB" if size >= 1e3 else f"{size:.1f} MB"


def _remove_strays(directory: Path) -> None:
    """Remove temporary files of a killed process: files of these names are never read."""
    for pattern in ("**/.*.tmp", "**/.*.old", "**/.tmp*"):  # the last are safetensors' own
        for stray in sorted(directory.glob(pattern)):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)
