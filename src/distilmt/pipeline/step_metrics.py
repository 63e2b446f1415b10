"""Seconds and peak memory of a step, over all its calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distilmt.utils.run_dir import STARTED_FILE, peak_rss, reset_peak_rss, write_json

HEARTBEAT_SECONDS = 5.0


class StepMeter:
    """Seconds and peak memory of a step, saved every few seconds so that a kill does not lose them."""

    def __init__(self, directory: Path, fingerprint: str, before: Mapping[str, Any]) -> None:
        self.directory, self.fingerprint = directory, fingerprint
        self.seconds_before, self.rss_before = float(before["seconds"]), int(before["peak_rss_bytes"])
        self.begin = time.monotonic()
        self.stop = threading.Event()
        reset_peak_rss()

    @property
    def seconds(self) -> float:
        """Sum over all calls."""
        return self.seconds_before + time.monotonic() - self.begin

    @property
    def peak_rss_bytes(self) -> int:
        """Maximum over all calls."""
        return max(self.rss_before, peak_rss())

    def write(self) -> None:
        """Save the measurements so far."""
        values = {"fingerprint": self.fingerprint, "seconds": self.seconds, "peak_rss_bytes": self.peak_rss_bytes}
        write_json(self.directory / STARTED_FILE, values)

    def write_periodically(self) -> None:
        """Save them periodically until `stop` is set."""
        while not self.stop.wait(HEARTBEAT_SECONDS):
            try:
                self.write()
            except OSError:  # the work itself reports a full disk
                continue


@contextmanager
def measure_step(directory: Path, fingerprint: str, before: Mapping[str, Any]) -> Iterator[StepMeter]:
    """Measure the block, and add the measurements of earlier calls.

    Args:
        directory: the step's; its `step.started.json` holds the measurements so far.
        fingerprint: the fingerprint to store there.
        before: the content of that file when the step was started or resumed.
    """
    meter = StepMeter(directory, fingerprint, before)
    thread = threading.Thread(target=meter.write_periodically, daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        meter.stop.set()
        thread.join()
        # On a full disk this must not hide the original error.
        with suppress(OSError):
            meter.write()
