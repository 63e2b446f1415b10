"""Ctrl-C and SIGTERM: raise KeyboardInterrupt, and end the process if that has no effect.

Python runs signal handlers between two bytecode instructions. A C++ library that computes for minutes delays them,
and a KeyboardInterrupt raised inside a `__del__` is printed and dropped. So a thread watches too: it ends the
process if the main thread has not finished some seconds after the signal.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE_SECONDS = 3.0
"""Time after the signal: by then half-written files are removed, unless a library call does not return."""
_RESUME = " Run the same command again to resume."
_RAISE_AGAIN_SECONDS = 0.05


class Interrupts:
    """Signal handling of one command."""

    def __init__(self) -> None:
        self.resumes = False
        """Whether the same command continues this work."""
        self.received = 0
        self.finished = threading.Event()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Unwind by KeyboardInterrupt; a second signal ends the process at once."""
        if self.received:
            self.end(number)
        self.received = number
        raise KeyboardInterrupt

    @property
    def message(self) -> str:
        """What the user reads; a line of its own behind the `^C` of the terminal."""
        return f"\nInterrupted.{_RESUME if self.resumes else ''}"

    @property
    def status(self) -> int:
        """Exit status of a command ended by a signal, as in shells."""
        return 128 + (self.received or int(signal.SIGINT))

    def watch(self, reader: int) -> None:
        """Wait for a signal, then for the end of the command; runs in a thread, while C++ computes too."""
        with os.fdopen(reader, "rb", buffering=0) as signals:
            while number := int.from_bytes(signals.read(1), "big"):
                # A server has its own handlers: it finishes the requests that it has accepted.
                if signal.getsignal(number) == self.handle and not self.finished.wait(GRACE_SECONDS):
                    self.end(number)

    def end(self, number: int) -> None:
        """End the process at once, with the exit status of this signal as in shells."""
        os.write(2, f"{self.message}\n".encode())
        os._exit(128 + number)

    def unraisable(self, unraisable: Any) -> None:
        """Raise an interrupt again that was lost in a `__del__` or a callback of C code."""
        if unraisable.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(unraisable)
            return
        number, self.received = self.received or int(signal.SIGINT), 0
        threading.Timer(_RAISE_AGAIN_SECONDS, _thread.interrupt_main, (number,)).start()


def leave(status: int) -> None:
    """Make sure that the process ends soon: at exit Python waits for threads, and CTranslate2 for its queue."""
    timer = threading.Timer(GRACE_SECONDS, os._exit, (status,))
    timer.daemon = True
    timer.start()


@contextmanager
def interruptible(interrupts: Interrupts) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt, or end the process soon after; for the main thread."""
    before, hook = {}, sys.unraisablehook
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=interrupts.watch, args=(reader,), daemon=True, name="interrupts").start()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`, and jobs in the background of a script
            before[number] = signal.signal(number, interrupts.handle)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    sys.unraisablehook = interrupts.unraisable
    try:
        yield
    finally:
        interrupts.finished.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        sys.unraisablehook = hook
        os.close(writer)


if hasattr(os, "register_at_fork"):  # a forked child would write its signals into its parent's pipe
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
