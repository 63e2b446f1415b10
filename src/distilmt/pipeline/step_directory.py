"""Steps: run once, resumed when interrupted, and rerun next to the finished version, which is never deleted.

A directory is written only if it is empty or contains a step's record, `step.json` or `step.started.json`. A rerun
writes to `NAME.next`; when that is complete, the former directory becomes `NAME.before-DATE`. If a former directory
matches later settings, it is restored instead of being computed again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from distilmt.pipeline.backups import NEXT, back_up, backup_directories, link_files, remove_strays
from distilmt.pipeline.step_metrics import measure_step
from distilmt.pipeline.step_spec import RULES, StepRules, StepSpec, Work, describe_differences
from distilmt.utils import checksums
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import (
    STARTED_FILE,
    STEP_FILE,
    StepRecord,
    fingerprint_files,
    read_step,
    versions,
    write_json,
)
from distilmt.utils.sizes import size_text, total_bytes
from distilmt.utils.step_results import to_record

logger = logging.getLogger(__name__)


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
    backup = back_up(directory)
    work_dir.rename(directory)
    size = size_text(total_bytes(backup))
    logger.info(f"the former {directory.name} is {backup.name} ({size}): delete it if you do not need it")
    return record


def finished_record(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], rules: StepRules = RULES
) -> StepRecord | None:
    """The record of a step, if it is finished and up to date."""
    return StepSpec(directory, dict(inputs), json.loads(json.dumps(settings)), rules).matching_record(directory)


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
        backup = back_up(directory) if directory.exists() else None
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
        result = work(work_dir)
    record = StepRecord(
        spec.directory.name,
        spec.fingerprint,
        spec.inputs,
        spec.settings,
        round(meter.seconds, 3),
        meter.peak_rss_bytes,
        versions(),
        {} if result is None else to_record(result),
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
        remove_strays(work_dir)
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
        link_files(spec.directory, work_dir, spec.rules.reusable(former, spec.differences(former)) or ())
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
        backup = back_up(work_dir, directory.name)
        size = size_text(total_bytes(backup))
        logger.info(f"{work_dir.name} was started with other settings: it is now {backup.name} ({size})")
    else:
        (work_dir / STARTED_FILE).unlink(missing_ok=True)
