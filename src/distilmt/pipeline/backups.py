"""Former directories of a step, which are never deleted, and files that two directories share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from distilmt.utils.dates import date_for_names
from distilmt.utils.run_dir import STARTED_FILE, STEP_FILE

NEXT, BEFORE = ".next", ".before-"
"""Ends of the names of a step's directories: of a rerun until it is complete, and of a former one."""


def backup_directories(directory: Path) -> list[Path]:
    """Backups of a step, the latest first."""
    return sorted(directory.parent.glob(f"{directory.name}{BEFORE}*"), reverse=True)


def back_up(directory: Path, name: str | None = None) -> Path:
    """Rename a directory to `NAME.before-DATE`; returns the new path. NAME is `name`, or the directory's own."""
    stamp = date_for_names()
    backup = directory.with_name(f"{name or directory.name}{BEFORE}{stamp}")
    number = 1
    while backup.exists():
        number += 1
        backup = backup.with_name(f"{name or directory.name}{BEFORE}{stamp}-{number}")
    directory.rename(backup)
    return backup


def link_files(source: Path, target: Path, patterns: Iterable[str]) -> None:
    """Put the files and directories that match the patterns into another directory as well; records are left out."""
    for path in {path for pattern in patterns for path in source.glob(pattern)}:
        copy = target / path.relative_to(source)
        if path.is_dir():
            shutil.copytree(path, copy, copy_function=_link_or_copy, dirs_exist_ok=True)
        elif path.name not in (STEP_FILE, STARTED_FILE):
            _link_or_copy(str(path), str(copy))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)  # files are replaced, never written in place, so both copies stay unchanged
    except OSError:
        shutil.copy2(source, target)


def remove_strays(directory: Path) -> None:
    """Remove temporary files of a killed process: files of these names are never read."""
    for pattern in ("**/.*.tmp", "**/.*.old", "**/.tmp*"):  # the last are safetensors' own
        for stray in sorted(directory.glob(pattern)):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)
