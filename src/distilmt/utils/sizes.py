"""Sizes of files and directories."""

from __future__ import annotations

from pathlib import Path


def total_bytes(path: Path, pattern: str = "*") -> int:
    """Bytes of a file, or of all files in a directory and below whose names match a pattern."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob(pattern) if file.is_file())


def size_text(size: int) -> str:
    """A size for people, in decimal units: `1.2 MB`, `3.4 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
