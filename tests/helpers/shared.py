"""What all of xdist's workers use is built by the first that needs it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The directory `name`, which `build` fills once in a session; its users only read it."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory, mark = root / name, root / f"{name}.built"
    with FileLock(root / f"{name}.lock"):
        if not mark.exists():
            directory.mkdir()
            build(directory)
            mark.touch()
    return directory
