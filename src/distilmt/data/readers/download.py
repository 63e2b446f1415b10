"""Corpora that were fetched by name: kept in the user's cache, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class DownloadedCorpus(NamedTuple):
    """A fetched corpus."""

    files: list[str]
    """Two parallel text files, source first."""
    license: str | None


def cache_folder(kind: str) -> Path:
    """Folder that fetched files of a kind are kept in, in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distilmt" / kind
