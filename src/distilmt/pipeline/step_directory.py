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

from distilmt.pipeline.step_metrics import metered
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
    told = {key: changed_text(record.settings.get(key), settings.get(key)) for key in {**record.settings, **settings}}
    read = {key for key in {*record.inputs, *inputs} if record.inputs.get(key) != inputs.get(key)}
    return {key: text for key, text in told.items() if text} | dict.fromkeys(read, CHANGED)


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
class Wanted:
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
    def resumed_as(self) -> str:
        """Stands for what an unfinished directory may be continued as."""
        return fingerprint([self.inputs, dict(self.rules.resumed(self.settings))])

    def differences(self, record: StepRecord) -> Differences:
        """What of a record does not fit."""
        return self.rules.differences(record, self.inputs, self.settings)

    def fits(self, directory: Path) -> StepRecord | None:
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
    wanted = Wanted(directory, dict(inputs), json.loads(json.dumps(settings)), rules)
    done = wanted.fits(directory) or _brought_back(wanted)
    if done is not None:
        checksums.check_step(directory)
        return done
    former = read_step(directory)
    if former is None:
        return _done(wanted, directory, None, work)
    place = directory.with_name(directory.name + NEXT)
    progress.say(f"{directory.name} is done again, what is finished is kept: {reasons(wanted.differences(former))}")
    record = _done(wanted, place, former, work)
    aside = _move_aside(directory)
    place.rename(directory)
    progress.say(f"the former {directory.name} is {aside.name} ({_size(aside)}): delete it if you do not need it")
    return record


def finished(
    directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], rules: StepRules = RULES
) -> StepRecord | None:
    """The record of a step if it was done as it would be now."""
    return Wanted(directory, dict(inputs), json.loads(json.dumps(settings)), rules).fits(directory)


def reasons(differences: Differences) -> str:
    """`labels.beam_size 4 → 5, another teacher`."""
    told = [f"another {key}" if text == CHANGED else f"{key} {text}" for key, text in sorted(differences.items())]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def former_directories(directory: Path) -> list[Path]:
    """What was moved aside of a step, the latest first."""
    return sorted(directory.parent.glob(f"{directory.name}{BEFORE}*"), reverse=True)


def check_own(directory: Path) -> None:
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


def _brought_back(wanted: Wanted) -> StepRecord | None:
    """What was finished as wanted and lies beside: the next one, when the last call was killed, or a former one."""
    directory = wanted.directory
    for place in (directory.with_name(directory.name + NEXT), *former_directories(directory)):
        record = wanted.fits(place)
        if record is None:
            continue
        aside = _move_aside(directory) if directory.exists() else None
        place.rename(directory)
        told = f" and what was there is {aside.name}" if aside else ""
        progress.say(f"{directory.name}: {place.name} fits, so it is taken{told}")
        return record
    return None


def _done(wanted: Wanted, place: Path, former: StepRecord | None, work: Work) -> StepRecord:
    """Do the work in a place, write its record last."""
    check_own(place)
    before = _start(wanted, place, former)
    with metered(place, wanted.resumed_as, before) as meter:
        result = work(place) or {}
    record = StepRecord(
        wanted.directory.name,
        wanted.fingerprint,
        wanted.inputs,
        wanted.settings,
        round(meter.seconds, 3),
        meter.peak_rss_bytes,
        versions(),
        result,
        checksums.checksums(place, wanted.rules.sealed),
    )
    if former is not None and _same_to_readers(wanted, place, former):
        record = replace(record, fingerprint=former.fingerprint)
    write_json(place / STEP_FILE, asdict(record))
    (place / STARTED_FILE).unlink(missing_ok=True)
    return record


def _same_to_readers(wanted: Wanted, place: Path, former: StepRecord) -> bool:
    """Whether the steps that read this one would find the same."""
    if set(wanted.differences(former)) <= wanted.rules.unread:
        return True
    patterns = wanted.rules.outcome
    outcome = _contents(place, patterns)
    return bool(outcome) and outcome == _contents(wanted.directory, patterns)


def _contents(directory: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    files = {path for pattern in patterns for path in directory.glob(pattern) if path.is_file()}
    files = {path for path in files if path.name not in (STEP_FILE, STARTED_FILE)}
    return {path.relative_to(directory).as_posix(): fingerprint_files(path) for path in files}


def _start(wanted: Wanted, place: Path, former: StepRecord | None) -> dict[str, Any]:
    """Make a place ready: kept if it was left unfinished as wanted; else it is new, with what can be taken over."""
    before = _started(place)
    if before.get("fingerprint") == wanted.resumed_as:
        _remove_strays(place)
        return before
    _put_away(place, wanted.directory)
    begun = _begun(wanted)
    if begun is not None:
        place.rmdir() if place.exists() else place.parent.mkdir(parents=True, exist_ok=True)
        begun.rename(place)
        progress.say(f"{wanted.directory.name}: goes on where {begun.name} stopped")
        return _start(wanted, place, former)
    place.mkdir(parents=True, exist_ok=True)
    if former is not None:
        _take_over(wanted, place, former)
    before = {"fingerprint": wanted.resumed_as, "seconds": 0.0, "peak_rss_bytes": 0}
    write_json(place / STARTED_FILE, before)
    return before


def _started(place: Path) -> dict[str, Any]:
    """What an unfinished directory was begun as; empty of one that is finished, or was not begun."""
    try:
        begun = json.loads((place / STARTED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return begun if isinstance(begun, dict) and not (place / STEP_FILE).exists() else {}


def _begun(wanted: Wanted) -> Path | None:
    """A directory that was moved aside unfinished and can be continued as wanted."""
    places = former_directories(wanted.directory)
    return next((place for place in places if _started(place).get("fingerprint") == wanted.resumed_as), None)


def _put_away(place: Path, directory: Path) -> None:
    """Move what another call left unfinished aside: answers in it may have been paid for."""
    if place.is_dir() and {path.name for path in place.iterdir()} - {STARTED_FILE}:
        aside = _move_aside(place, directory.name)
        progress.say(f"{place.name} was begun with other settings: it is {aside.name} ({_size(aside)}) now")
    else:
        (place / STARTED_FILE).unlink(missing_ok=True)


def _take_over(wanted: Wanted, place: Path, former: StepRecord) -> None:
    """Link what need not be made again."""
    patterns = wanted.rules.reusable(former, wanted.differences(former))
    for path in {path for pattern in patterns or () for path in wanted.directory.glob(pattern)}:
        target = place / path.relative_to(wanted.directory)
        if path.is_dir():
            shutil.copytree(path, target, copy_function=_link_or_copy, dirs_exist_ok=True)
        elif path.name not in (STEP_FILE, STARTED_FILE):
            _link_or_copy(str(path), str(target))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)  # files are replaced, never written in place, so both stay as they are
    except OSError:
        shutil.copy2(source, target)


def _move_aside(directory: Path, name: str | None = None) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    aside = directory.with_name(f"{name or directory.name}{BEFORE}{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{name or directory.name}{BEFORE}{stamp}-{number}")
    directory.rename(aside)
    return aside


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
