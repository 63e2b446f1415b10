"""Corpora downloaded by name: stored complete in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class DownloadedCorpus(NamedTuple):
    """A downloaded corpus."""

    files: list[str]
    """Two parallel text files, source first."""
    license: str | None


def cache_folder(kind: str) -> Path:
    """Folder in the user's cache directory for downloaded files of a kind."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distilmt" / kind
