"""Progress of long work, sent to a listener; silent unless a listener is set (the command line sets one).

Messages are no progress: modules log them (`logging.getLogger(__name__)`), and a program that embeds distilmt routes or
silences the loggers below `distilmt` as usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """A running task."""

    def advance(self, amount: float = 1, **status: object) -> None:
        """Report `amount` more units as done; `status` is shown next to the bar (`loss=3.21`)."""


class Listener(Protocol):
    """Callback interface that shows progress."""

    def start(self, name: str, total: float | None, unit: str, done: float) -> Task:
        """Start to show a task of `total` units (None: unknown), `done` of them by an earlier call."""

    def finish(self, task: Task) -> None:
        """Stop showing a task."""


class _SilentListener:
    def start(self, name: str, total: float | None, unit: str, done: float) -> Task:
        return self

    def advance(self, amount: float = 1, **status: object) -> None:
        pass

    def finish(self, task: Task) -> None:
        pass


_SILENT = _SilentListener()
_listener: Listener = _SILENT


def set_listener(listener: Listener | None) -> None:
    """Send all progress of this process to `listener` from now on; None: to nobody."""
    global _listener
    _listener = listener or _SILENT


@contextmanager
def task(name: str, total: float | None, unit: str = "lines", done: float = 0) -> Iterator[Task]:
    """Show the task `name` while the block runs; the block calls `advance` on the yielded object.

    `done` units were done by an earlier call: they count as progress but not for the rate.
    """
    listener = _listener
    shown = listener.start(name, total, unit, done)
    try:
        yield shown
    finally:
        listener.finish(shown)
