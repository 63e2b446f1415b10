"""The run directory: what it may contain before distilmt writes there, and its state after a rejected command."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from distilmt.pipeline.backups import NEXT
from distilmt.pipeline.step_directory import check_step_directory
from distilmt.utils.arguments import check_written_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import STARTED_FILE, STEP_FILE, locked, write_text
from distilmt.utils.run_paths import RunPaths

CONFIG = "config.yaml"
PLAN = "plan.json"
"""What `demo` and `distill` decided, by part."""
CONFIG_HEADER = "# Written by distilmt, anew with every run: edit another file and name it on the command line.\n"
"""First line of a `config.yaml` that may be overwritten."""
_OLD_KEYS = ["run_dir", "seed", "language", "corpus", "tokenizer"]
"""First keys of a `config.yaml` from versions without the header."""
_HARMLESS = {".yaml", ".yml", ".log", ".out", ".err", ".txt", ".sh"}
"""Suffixes of files that users keep in a run directory: notes, configurations and logs."""


def check_run_root(run_dir: str, steps: tuple[str, ...], inputs: Mapping[str, str]) -> Path:
    """Return the run directory if writing there cannot overwrite foreign files; writes nothing.

    Args:
        run_dir: as given by the user.
        steps: names of all directories that steps may write in it.
        inputs: by key, paths that the run reads.

    Raises:
        UserError: it is empty or cannot be typed; it contains foreign directories, data or config.yaml; or a step would
            write where an input is.
    """
    if not run_dir.strip():
        raise UserError("run_dir is empty: give a directory for the run, such as runs/first")
    check_written_path("run_dir", run_dir)
    root = Path(run_dir)
    if root.exists() and not root.is_dir():
        raise UserError(f"run_dir {run_dir} is not a directory: choose another one")
    written = (*steps, *(directory.name for directory in RunPaths(root).with_runs))
    for key, path in inputs.items():
        _check_input(key, path, root, written)
    for step in steps:
        check_step_directory(root / step)
        check_step_directory(root / f"{step}{NEXT}")
    if (root / CONFIG).exists() and not _own_config(root / CONFIG):
        raise UserError(f"{root / CONFIG} was not written by distilmt and would be overwritten: choose another run_dir")
    _check_empty(root, steps)
    return root


def _check_input(key: str, path: str, root: Path, steps: tuple[str, ...]) -> None:
    input_path, root_path = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    if not input_path.exists() or root_path not in (input_path, *input_path.parents):
        return
    inside = input_path.relative_to(root_path).parts
    if not inside or inside[0].split(".")[0] in steps:
        raise UserError(f"{key} {path} is in {root}, where this run writes: move it, or choose another run_dir")


def _check_empty(root: Path, steps: tuple[str, ...]) -> None:
    """A new run needs a directory without other content, except notes and configurations."""
    if not root.is_dir() or (root / CONFIG).exists() or any((root / step).exists() for step in steps):
        return
    others = [
        path.name
        for path in root.iterdir()
        if not (path.name.startswith(".") or path.suffix in _HARMLESS or _is_plan(path))
    ]
    if others:
        names = ", ".join(sorted(others)[:3]) + (" …" if len(others) > 3 else "")
        raise UserError(f"{root} contains {names} but no run: choose a new or an empty directory with --run_dir")


def _is_plan(path: Path) -> bool:
    """Whether a file is the plan of `demo` or `distill`, which is there before the first step."""
    try:
        parts = json.loads(path.read_bytes()) if path.name == PLAN else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(parts, dict) and all(
        isinstance(part, dict) and part.keys() == {"settings", "plan"} for part in parts.values()
    )


def _own_config(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
        if text.startswith(CONFIG_HEADER):
            return True
        values = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return False
    if not isinstance(values, dict) or list(values)[: len(_OLD_KEYS)] != _OLD_KEYS:
        return False
    return text == yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


@contextmanager
def hold_run_dir(root: Path, config: str | None) -> Iterator[None]:
    """Lock a run directory for this process and write its configuration.

    If the block raises UserError before any step is finished, or writes nothing, the directory is restored.

    Args:
        root: what `check_run_root` returned.
        config: YAML of the configuration; None leaves the existing one.

    Raises:
        UserError: another process holds the lock; or raised by the block.
    """
    absent = _missing_directories(root)
    unlocked = not (root / ".lock").exists()
    with locked(root):
        try:
            with _configured(root, config):
                yield
        except UserError:
            if unlocked and not _finished(root):
                _remove_empty_run(root, absent)
            raise
        if unlocked and config is None and not _finished(root):
            _remove_empty_run(root, absent)  # nothing was written: a later block creates it again


@contextmanager
def _configured(root: Path, config: str | None) -> Iterator[None]:
    if config is None:
        yield
        return
    path, before = root / CONFIG, _finished(root)
    old = path.read_text(encoding="utf-8") if path.exists() else None
    write_text(path, CONFIG_HEADER + config)
    try:
        yield
    except UserError:
        if _finished(root) == before:
            path.unlink() if old is None else write_text(path, old)
        raise


def _finished(root: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in root.glob(f"*/{STEP_FILE}")}


def _missing_directories(root: Path) -> list[Path]:
    """Directories that do not exist yet, the innermost first."""
    return [path for path in (root, *root.parents) if not path.exists()]


def _remove_empty_run(root: Path, absent: list[Path]) -> None:
    """Remove what a rejected first call created; directories with other content stay."""
    for started in root.glob(f"*/{STARTED_FILE}"):
        if len(list(started.parent.iterdir())) == 1:
            started.unlink()
            started.parent.rmdir()
    if {path.name for path in root.iterdir()} <= {".lock"}:
        (root / ".lock").unlink(missing_ok=True)
        for path in absent:
            path.rmdir()
