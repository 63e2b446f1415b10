"""Dates in UTC, whatever the machine's time zone."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from distilmt.utils.dates import date_for_names, date_for_programs, date_for_reports


@pytest.mark.parametrize(
    ("date", "form"),
    [
        (date_for_reports, "%Y-%m-%d %H:%M UTC"),
        (date_for_programs, "%Y-%m-%dT%H:%M:%S+00:00"),
        (date_for_names, "%Y%m%d-%H%M%S"),
    ],
)
def test_date_is_the_current_one_in_utc(monkeypatch, date, form):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # 14 hours ahead
    time.tzset()
    try:
        parsed = datetime.strptime(date(), form).replace(tzinfo=timezone.utc)
        assert abs(datetime.now(timezone.utc) - parsed) < timedelta(hours=1)
    finally:
        monkeypatch.undo()
        time.tzset()
