"""Run directories: steps that are done once, resumed when cut off, and never taken for whole when they are not.

Every step reads directories and writes one directory. `step.json` is written last, atomically; a step whose
`step.json` carries the fingerprint it would be run with now is skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from distilmt.errors import UserError

STEP_FILE = "step.json"
STARTED_FILE = "step.started.json"
HEARTBEAT_SECONDS = 5.0
_VERSIONED = ("distilmt", "torch", "transformers", "ctranslate2", "sentencepiece", "sacrebleu")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block succeeds it is flushed to disk and renamed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Give an empty temporary directory; when the block succeeds it takes the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the step that writes it first") from None
    except ValueError:
        raise UserError(f"{path} is not valid JSON: delete {path.parent} and run the step again") from None


def link(place: Path, target: Path) -> None:
    """Make `place` a relative link to `target`; one that leads elsewhere is replaced."""
    path = os.path.relpath(target, place.parent)
    if not place.is_symlink() or os.readlink(place) != path:
        place.unlink(missing_ok=True)
        place.symlink_to(path)


def fingerprint(value: object) -> str:
    """Sixteen hexadecimal digits that stand for a JSON-like value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_files(*paths: Path) -> str:
    """Sixteen hexadecimal digits that stand for the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@dataclass
class StepRecord:
    """What `step.json` holds."""

    name: str
    fingerprint: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    seconds: float
    peak_rss_bytes: int
    versions: dict[str, str]
    result: dict[str, Any] = field(default_factory=dict)


def read_step(directory: Path) -> StepRecord | None:
    """The record of a finished step, or None if `directory` does not hold one."""
    try:
        return StepRecord(**json.loads((directory / STEP_FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        raise UserError(f"{directory / STEP_FILE} is damaged: delete {directory} and run again") from None


def done_as(directory: Path) -> str:
    """The fingerprint a step was finished with, or `missing`: what a step that reads it depends on."""
    record = read_step(directory)
    return record.fingerprint if record else "missing"


def run_step(
    directory: Path,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    work: Callable[[Path], dict[str, Any] | None],
) -> StepRecord:
    """Do `work(directory)` unless it was done with the same inputs and settings; go on if it was cut off.

    Args:
        directory: what the step writes; its name is the step's name.
        inputs: name to fingerprint of everything the step reads.
        settings: JSON-like settings the result depends on.
        work: does the step; what it returns is kept as `result`. It is called on the directory as an earlier,
            interrupted call with the same fingerprint left it, and must go on from there.

    Returns:
        The finished step's record, with seconds summed over all interrupted calls.
    """
    done = finished(directory, inputs, settings)
    if done is not None:
        return done
    settings = json.loads(json.dumps(settings))
    wanted = _fingerprint(inputs, settings)
    before = _start(directory, wanted)
    with _meter(directory, wanted, before) as meter:
        result = work(directory) or {}
    record = StepRecord(
        directory.name,
        wanted,
        dict(inputs),
        dict(settings),
        round(meter.seconds, 3),
        meter.peak_rss_bytes,
        versions(),
        result,
    )
    write_json(directory / STEP_FILE, asdict(record))
    (directory / STARTED_FILE).unlink(missing_ok=True)
    return record


def finished(directory: Path, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> StepRecord | None:
    """The record of a step if it was done with these inputs and settings."""
    done = read_step(directory)
    return done if done is not None and done.fingerprint == _fingerprint(inputs, settings) else None


def _fingerprint(inputs: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    return fingerprint([dict(inputs), json.loads(json.dumps(settings))])


def _start(directory: Path, wanted: str) -> dict[str, Any]:
    """Make the directory ready: kept if an earlier call with the same fingerprint was cut off, else emptied."""
    started = directory / STARTED_FILE
    try:
        before = json.loads(started.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    if before.get("fingerprint") != wanted:
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        before = {"fingerprint": wanted, "seconds": 0.0, "peak_rss_bytes": 0}
        write_json(started, before)
    _remove_strays(directory)
    return before


def _remove_strays(directory: Path) -> None:
    """Remove what a killed process was writing: nothing of that name is ever read."""
    for pattern in ("**/.*.tmp", "**/.*.old", "**/.tmp*"):  # the last are safetensors' own
        for stray in sorted(directory.glob(pattern)):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)


class _Meter:
    """Seconds and peak memory of a step, written down every few seconds so that a kill does not lose them."""

    def __init__(self, directory: Path, wanted: str, before: Mapping[str, Any]) -> None:
        self.directory, self.wanted = directory, wanted
        self.seconds_before, self.rss_before = float(before["seconds"]), int(before["peak_rss_bytes"])
        self.begin = time.monotonic()
        self.stop = threading.Event()
        reset_peak_rss()

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.begin

    @property
    def peak_rss_bytes(self) -> int:
        return max(self.rss_before, peak_rss())

    def write(self) -> None:
        values = {"fingerprint": self.wanted, "seconds": self.seconds, "peak_rss_bytes": self.peak_rss_bytes}
        write_json(self.directory / STARTED_FILE, values)

    def beat(self) -> None:
        while not self.stop.wait(HEARTBEAT_SECONDS):
            try:
                self.write()
            except OSError:  # a full disk is reported by the work itself, not by its clock
                continue


@contextmanager
def _meter(directory: Path, wanted: str, before: Mapping[str, Any]) -> Iterator[_Meter]:
    meter = _Meter(directory, wanted, before)
    thread = threading.Thread(target=meter.beat, daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        meter.stop.set()
        thread.join()
        # On a full disk this must not hide the error that ended the work.
        with suppress(OSError):
            meter.write()


def reset_peak_rss() -> None:
    """Make the kernel forget this process's peak memory (Linux; elsewhere the peak is the process's own)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss() -> int:
    """Peak resident memory of this process in bytes, since `reset_peak_rss` where the kernel can tell."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the run directory for this process.

    Raises:
        UserError: another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"{directory} is in use by another distilmt: wait for it, or name another --run_dir"
            ) from None
        yield
