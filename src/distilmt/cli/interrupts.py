"""Ctrl-C and SIGTERM: KeyboardInterrupt where Python runs, and an end of the process where it does not come through.

Python runs signal handlers between two steps of its own. A C++ library that computes for minutes keeps them waiting,
and a KeyboardInterrupt that is raised inside a `__del__` is printed and forgotten. So a thread watches too: it ends the
process when the main thread has not come to its end some seconds after the signal.
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
"""From the signal on: files half-written are removed by then, unless a library does not return."""
STOPPED = "\nstopped; the same command goes on from here"
_RAISE_AGAIN_SECONDS = 0.05


class Interrupts:
    """Signals of one command."""

    def __init__(self) -> None:
        self.received = 0
        self.finished = threading.Event()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Unwind; whoever sends a second signal does not want to wait for that."""
        if self.received:
            end(number)
        self.received = number
        raise KeyboardInterrupt

    @property
    def status(self) -> int:
        """Exit status of a command that a signal has ended, as shells give it."""
        return 128 + (self.received or int(signal.SIGINT))

    def watch(self, reader: int) -> None:
        """Wait for a signal, then for the end of the command; runs in a thread, while C++ computes too."""
        with os.fdopen(reader, "rb", buffering=0) as signals:
            while number := int.from_bytes(signals.read(1), "big"):
                # A server has handlers of its own: it answers what it has accepted.
                if signal.getsignal(number) == self.handle and not self.finished.wait(GRACE_SECONDS):
                    end(number)

    def unraisable(self, unraisable: Any) -> None:
        """Raise an interrupt again that a `__del__` or a callback of C code has swallowed."""
        if unraisable.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(unraisable)
            return
        number, self.received = self.received or int(signal.SIGINT), 0
        threading.Timer(_RAISE_AGAIN_SECONDS, _thread.interrupt_main, (number,)).start()


def end(number: int) -> None:
    """End the process at once, with the status that a shell gives to one that this signal ended."""
    os.write(2, f"{STOPPED}\n".encode())
    os._exit(128 + number)


def leave(status: int) -> None:
    """See that the process ends soon: at its exit Python waits for threads, and CTranslate2 for what it was given."""
    timer = threading.Timer(GRACE_SECONDS, os._exit, (status,))
    timer.daemon = True
    timer.start()


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Ctrl-C and SIGTERM end the block by KeyboardInterrupt, or soon after the process; for the main thread."""
    interrupts, before, hook = Interrupts(), {}, sys.unraisablehook
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=interrupts.watch, args=(reader,), daemon=True, name="interrupts").start()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`, and jobs in the background of a script
            before[number] = signal.signal(number, interrupts.handle)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    sys.unraisablehook = interrupts.unraisable
    try:
        yield interrupts
    finally:
        interrupts.finished.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        sys.unraisablehook = hook
        os.close(writer)


if hasattr(os, "register_at_fork"):  # a forked child would write its signals into its parent's pipe
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
