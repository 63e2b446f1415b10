"""Progress of long work, told to whoever listens; silent unless a listener was set (the command line sets one)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work that is under way."""

    def advance(self, amount: float = 1, **status: object) -> None:
        """Say that `amount` more units are done; `status` is shown beside the bar (`loss=3.21`)."""


class Listener(Protocol):
    """Shows progress to somebody."""

    def start(self, name: str, total: float | None, unit: str, done: float) -> Task:
        """Begin to show a piece of work of `total` units (None: unknown), `done` of them by an earlier call."""

    def finish(self, task: Task) -> None:
        """Stop to show a piece of work."""

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
    """Show `name` as under way while the block runs; the block calls `advance` on what it is given.

    `done` units were done by an earlier call: they count into what is done, not into the rate.
    """
    shown = _listener.start(name, total, unit, done)
    try:
        yield shown
    finally:
        _listener.finish(shown)


def info(message: str) -> None:
    """Tell the listener one line (a person reads it; machines read the files of the run)."""
    _listener.info(message)
