"""Files of run directories: written atomically, locked, and with a record of each step's inputs and settings.

Every step reads directories and writes one; `step.json`, its record, is written last. `stepdir` runs the steps.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject

STEP_FILE = "step.json"
STARTED_FILE = "step.started.json"
OWN_FILES = (STEP_FILE, "card.json", "distilmt.json", "corpus.json", "manifest.json", "model.json")
"""Every directory that distilmt writes has one of these files; other directories are never replaced."""
_VERSIONED = ("distilmt", "torch", "transformers", "ctranslate2", "sentencepiece", "sacrebleu")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; when the block succeeds it is flushed to disk and renamed to `path`."""
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
    """Yield an empty temporary directory; when the block succeeds it replaces `path`.

    Raises:
        UserError: `path` has files, but none that marks a directory of distilmt.
    """
    if path.exists() and not replaceable(path):
        raise UserError(f"{path} was not written by distilmt: move it elsewhere, or name another directory")
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


def replaceable(path: Path) -> bool:
    """Whether a path is a directory that is empty or written by distilmt."""
    return path.is_dir() and (not any(path.iterdir()) or any((path / name).is_file() for name in OWN_FILES))


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write a JSON file atomically."""
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


def link(link_path: Path, target: Path) -> None:
    """Make `link_path` a relative link to `target`; an existing link is replaced.

    Raises:
        UserError: `link_path` exists and is not a link.
    """
    path = os.path.relpath(target, link_path.parent)
    if link_path.is_symlink():
        if os.readlink(link_path) == path:
            return
        link_path.unlink()
    elif link_path.exists():
        raise UserError(f"{link_path} exists, but distilmt needs a link there: move it elsewhere")
    link_path.symlink_to(path)


def fingerprint(value: object) -> str:
    """Hash of a JSON-like value, as sixteen hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_files(*paths: Path) -> str:
    """Hash of the contents of files in the given order, as sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digest.update(b"\0")
    return digest.hexdigest()[:16]


class FileChecksum(TypedDict, total=False):
    """Size and SHA-256 of a file; a record that a user edited may lack either."""

    bytes: int
    sha256: str


@dataclass
class StepRecord:
    """Content of `step.json`."""

    name: str
    fingerprint: str
    inputs: dict[str, str]
    settings: JsonObject
    seconds: float
    peak_rss_bytes: int
    versions: dict[str, str]
    result: JsonObject = field(default_factory=dict)
    files: dict[str, FileChecksum] = field(default_factory=dict)
    """`bytes` and `sha256` by name, for files whose damage no reader detects; empty in records of older versions."""


def read_step(directory: Path) -> StepRecord | None:
    """The record of a finished step, or None if `directory` does not hold one."""
    try:
        return StepRecord(**json.loads((directory / STEP_FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        raise UserError(f"{directory / STEP_FILE} is damaged: delete {directory} and run again") from None


def step_fingerprint(directory: Path) -> str:
    """The fingerprint of a finished step, or `missing`; steps that read its files depend on it."""
    record = read_step(directory)
    return record.fingerprint if record else "missing"


def reset_peak_rss() -> None:
    """Reset this process's peak memory in the kernel (Linux; elsewhere the peak is that of the whole process)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss() -> int:
    """Peak resident memory of this process in bytes, since `reset_peak_rss` if the kernel supports it."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """As `versions`, read once and cached, since every step's record has them."""
    versions_ = {"python": platform.python_version()}
    for name in _VERSIONED:
        with suppress(metadata.PackageNotFoundError):
            versions_[name] = metadata.version(name)
    return versions_


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the run directory for this process.

    Raises:
        UserError: another process has the lock.
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
