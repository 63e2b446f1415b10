"""Steps: done once, resumed when cut off, and done again beside what was finished, which is never deleted.

A directory is written only if it is empty or holds a step's record, `step.json` or `step.started.json`. While a step
is done again its new directory is `NAME.next`; when that is whole, the former one becomes `NAME.before-DATE`. One that
fits again later is brought back instead of being computed anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from distilmt.config.renamed import translated_settings
from distilmt.pipeline.step_metrics import measure_step
from distilmt.utils import checksums, progress
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

NEXT, BEFORE = ".next", ".before-"
CHANGED = "changed"
"""What there is to tell of an input that is not the same."""

Work = Callable[[Path], dict[str, Any] | None]
Differences = dict[str, str]
"""What differs between a finished step and the one that is wanted: name of a key or an input to `old → new`."""


def all_differences(record: StepRecord, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> Differences:
    """Every input and every key that is not the same."""
    settings = json.loads(json.dumps(settings))
    former = translated_settings(record.settings)
    changes = {key: changed_text(former.get(key), settings.get(key)) for key in {**former, **settings}}
    changed_inputs = {key for key in {*record.inputs, *inputs} if record.inputs.get(key) != inputs.get(key)}
    return {key: text for key, text in changes.items() if text} | dict.fromkeys(changed_inputs, CHANGED)


def changed_text(old: Any, new: Any) -> str:
    """`4 → 5`; nothing where both are the same."""
    return "" if old == new else f"{_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


@dataclass(frozen=True)
class StepRules:
    """On what of its inputs and settings a step's outcome depends; by default on all of them."""

    differences: Callable[[StepRecord, Mapping[str, str], Mapping[str, Any]], Differences] = all_differences
    """What makes a finished step not fit; empty if it fits."""
    effective: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """The settings that can change the outcome and differ from their defaults: what the fingerprint is made of."""
    resumed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """The same with what matters only for going on after an interruption."""
    reusable: Callable[[StepRecord, Differences], list[str] | None] = lambda record, differences: None
    """Patterns of files that need not be made again, linked into the new directory; None if there are none."""
    unread: frozenset[str] = frozenset()
    """Keys of no concern to the steps that read this one."""
    sealed: tuple[str, ...] = ()
    """Patterns of the files whose checksums the record holds; where one differs later, the step is not used."""
    outcome: tuple[str, ...] = ()
    """Patterns of the files in which the outcome lies: where all are as before, no step that reads them is redone."""


RULES = StepRules()


@dataclass(frozen=True)
class StepSpec:
    """A step as it is to be done now."""

    directory: Path
    inputs: dict[str, str]
    settings: dict[str, Any]
    rules: StepRules = RULES

    @property
    def fingerprint(self) -> str:
        """Stands for the outcome."""
        return fingerprint([self.inputs, dict(self.rules.effective(self.settings))])

    @property
    def resume_fingerprint(self) -> str:
        """Stands for what an unfinished directory may be continued as."""
        return fingerprint([self.inputs, dict(self.rules.resumed(self.settings))])

    def differences(self, record: StepRecord) -> Differences:
        """What of a record does not fit."""
        return self.rules.differences(record, self.inputs, self.settings)

    def matching_record(self, directory: Path) -> StepRecord | None:
        """The record of a directory that was finished as wanted."""
        record = read_step(directory)
        return record if record is not None and not self.differences(record) else None


def run_step(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], work: Work, rules: StepRules = RULES
) -> StepRecord:
    """Do `work` unless it was done with the same inputs and settings; go on if it was cut off.

    Args:
        directory: what the step writes in the end; its name is the step's name.
        inputs: name to fingerprint of everything the step reads.
        settings: JSON-like settings, all that the step is given.
        work: does the step in the directory it is called with, `directory` itself or its `.next`; what it returns is
            kept as `result`. An earlier, interrupted call may have left files there, and it must go on from them.
        rules: what of inputs and settings matters.

    Returns:
        The finished step's record, with seconds summed over all interrupted calls.

    Raises:
        UserError: the directory holds files that distilmt did not write, or its own are damaged.
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
    progress.info(
        f"{directory.name} is done again, what is finished is kept: {describe_differences(spec.differences(former))}"
    )
    record = _execute(spec, work_dir, former, work)
    backup = _back_up(directory)
    work_dir.rename(directory)
    progress.info(f"the former {directory.name} is {backup.name} ({_size(backup)}): delete it if you do not need it")
    return record


def finished_record(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], rules: StepRules = RULES
) -> StepRecord | None:
    """The record of a step if it was done as it would be now."""
    return StepSpec(directory, dict(inputs), json.loads(json.dumps(settings)), rules).matching_record(directory)


def describe_differences(differences: Differences) -> str:
    """`labels.beam_size 4 → 5, another teacher`."""
    parts = [f"another {key}" if text == CHANGED else f"{key} {text}" for key, text in sorted(differences.items())]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")


def backup_directories(directory: Path) -> list[Path]:
    """What was moved aside of a step, the latest first."""
    return sorted(directory.parent.glob(f"{directory.name}{BEFORE}*"), reverse=True)


def check_step_directory(directory: Path) -> None:
    """See that nothing would be lost if a step were done here.

    Raises:
        UserError: the directory holds files, and no record of distilmt's.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise UserError(f"{directory} is in the way: a step writes a directory there, so name another run_dir")
    if any(directory.iterdir()) and not (_is_record(directory / STEP_FILE) or _is_record(directory / STARTED_FILE)):
        raise UserError(
            f"{directory} holds files that distilmt did not write: name another run_dir, or move {directory} elsewhere"
        )


def _is_record(path: Path) -> bool:
    try:
        return "fingerprint" in json.loads(path.read_text(encoding="utf-8")) or path.name == STEP_FILE
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError):
        return True  # damaged: read_step says so


def _restore_finished(spec: StepSpec) -> StepRecord | None:
    """What was finished as wanted and lies beside: the next one, when the last call was killed, or a former one."""
    directory = spec.directory
    for candidate in (directory.with_name(directory.name + NEXT), *backup_directories(directory)):
        record = spec.matching_record(candidate)
        if record is None:
            continue
        backup = _back_up(directory) if directory.exists() else None
        candidate.rename(directory)
        suffix = f" and what was there is {backup.name}" if backup else ""
        progress.info(f"{directory.name}: {candidate.name} fits, so it is taken{suffix}")
        return record
    return None


def _execute(spec: StepSpec, work_dir: Path, former: StepRecord | None, work: Work) -> StepRecord:
    """Do the work in a place, write its record last."""
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
    """Whether the steps that read this one would find the same."""
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
    """Make a place ready: kept if it was left unfinished as wanted; else it is new, with what can be taken over."""
    before = _unfinished_record(work_dir)
    if before.get("fingerprint") == spec.resume_fingerprint:
        _remove_strays(work_dir)
        return before
    _back_up_unfinished(work_dir, spec.directory)
    unfinished = _find_unfinished(spec)
    if unfinished is not None:
        work_dir.rmdir() if work_dir.exists() else work_dir.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(work_dir)
        progress.info(f"{spec.directory.name}: goes on where {unfinished.name} stopped")
        return _prepare_work_dir(spec, work_dir, former)
    work_dir.mkdir(parents=True, exist_ok=True)
    if former is not None:
        _link_reusable(spec, work_dir, former)
    before = {"fingerprint": spec.resume_fingerprint, "seconds": 0.0, "peak_rss_bytes": 0}
    write_json(work_dir / STARTED_FILE, before)
    return before


def _unfinished_record(work_dir: Path) -> dict[str, Any]:
    """What an unfinished directory was begun as; empty of one that is finished, or was not begun."""
    try:
        record = json.loads((work_dir / STARTED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and not (work_dir / STEP_FILE).exists() else {}


def _find_unfinished(spec: StepSpec) -> Path | None:
    """A directory that was moved aside unfinished and can be continued as wanted."""
    backups = backup_directories(spec.directory)
    return next(
        (backup for backup in backups if _unfinished_record(backup).get("fingerprint") == spec.resume_fingerprint), None
    )


def _back_up_unfinished(work_dir: Path, directory: Path) -> None:
    """Move what another call left unfinished aside: answers in it may have been paid for."""
    if work_dir.is_dir() and {path.name for path in work_dir.iterdir()} - {STARTED_FILE}:
        backup = _back_up(work_dir, directory.name)
        progress.info(f"{work_dir.name} was begun with other settings: it is {backup.name} ({_size(backup)}) now")
    else:
        (work_dir / STARTED_FILE).unlink(missing_ok=True)


def _link_reusable(spec: StepSpec, work_dir: Path, former: StepRecord) -> None:
    """Link what need not be made again."""
    patterns = spec.rules.reusable(former, spec.differences(former))
    for path in {path for pattern in patterns or () for path in spec.directory.glob(pattern)}:
        target = work_dir / path.relative_to(spec.directory)
        if path.is_dir():
            shutil.copytree(path, target, copy_function=_link_or_copy, dirs_exist_ok=True)
        elif path.name not in (STEP_FILE, STARTED_FILE):
            _link_or_copy(str(path), str(target))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)  # files are replaced, never written in place, so both stay as they are
    except OSError:
        shutil.copy2(source, target)


def _back_up(directory: Path, name: str | None = None) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
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
    """Remove what a killed process was writing: nothing of that name is ever read."""
    for pattern in ("**/.*.tmp", "**/.*.old", "**/.tmp*"):  # the last are safetensors' own
        for stray in sorted(directory.glob(pattern)):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)
