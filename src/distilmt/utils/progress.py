"""Progress of long work, sent to a listener; silent unless a listener is set (the command line sets one)."""

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

    def info(self, message: str) -> None:
        """Show one line."""


class _SilentListener:
    def start(self, name: str, total: float | None, unit: str, done: float) -> Task:
        return self

    def advance(self, amount: float = 1, **status: object) -> None:
        pass

    def finish(self, task: Task) -> None:
        pass

    def info(self, message: str) -> None:
        pass


_listener: Listener = _SilentListener()


def set_listener(listener: Listener) -> None:
    """Send all progress of this process to `listener` from now on."""
    global _listener
    _listener = listener


@contextmanager
def task(name: str, total: float | None, unit: str = "lines", done: float = 0) -> Iterator[Task]:
    """Show the task `name` while the block runs; the block calls `advance` on the yielded object.

    `done` units were done by an earlier call: they count as progress but not for the rate.
    """
    shown = _listener.start(name, total, unit, done)
    try:
        yield shown
    finally:
        _listener.finish(shown)


def info(message: str) -> None:
    """Send one line to the listener (for users; programs read the files of the run)."""
    _listener.info(message)
