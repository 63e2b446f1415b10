"""The current date, always in UTC, in the forms of reports, cards and directory names."""

from __future__ import annotations

from datetime import datetime, timezone


def date_for_reports() -> str:
    """`2026-11-30 14:05 UTC`, for readers."""
    return _now().strftime("%Y-%m-%d %H:%M UTC")


def date_for_programs() -> str:
    """`2026-11-30T14:05:09+00:00` (ISO 8601)."""
    return _now().isoformat(timespec="seconds")


def date_for_names() -> str:
    """`20261130-140509`, for names of files and directories; names sort by time."""
    return _now().strftime("%Y%m%d-%H%M%S")


def _now() -> datetime:
    return datetime.now(timezone.utc)
