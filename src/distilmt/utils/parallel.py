"""Independent work items in parallel processes, each on its share of the cores."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import TypeVar

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import use_cores

T = TypeVar("T")


def run_in_processes(work: Callable[[T], None], items: Sequence[T], jobs: int) -> Generator[T, None, None]:
    """Call `work` for every item, each in a new process; yields items as they finish.

    Two small models use two cores better than one model does. Each item has its own process, so that none outlives the
    caller for longer than its item, and memory is freed in between. A caller that stops early must close the iterator:
    it then ends the running processes.

    Args:
        work: a module-level function whose only argument is an item.
        items: objects that can be pickled.
        jobs: number of parallel processes, at most one per core.

    Raises:
        UserError, OSError: raised by the work.
        RuntimeError: the work raised another error (with its traceback), or its process was killed.
    """
    shares, waiting = list(range(jobs)), list(items)
    running: dict[Connection, tuple[SpawnProcess, T, int]] = {}  # by the connection for its result
    try:
        while waiting or running:
            while waiting and shares:
                item, share = waiting.pop(0), shares.pop(0)
                process, connection = _start(work, item, share, jobs)
                running[connection] = (process, item, share)
            ready = set(wait(list(running)))
            for connection in [each for each in running if each in ready]:
                process, item, share = running.pop(connection)
                _finish(process, connection)
                shares.append(share)
                yield item
    finally:
        for process, _, _ in running.values():
            process.terminate()
        for process, _, _ in running.values():
            process.join()


def _start(work: Callable[[T], None], item: T, share: int, jobs: int) -> tuple[SpawnProcess, Connection]:
    context = get_context("spawn")  # a fork of a process that has used OpenMP may hang
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_worker, args=(work, item, share, jobs, sender))
    process.start()
    sender.close()
    return process, receiver


def _finish(process: SpawnProcess, connection: Connection) -> None:
    try:
        error = connection.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"a process ended with status {process.exitcode} before its work was done (status -9: out of memory)"
        ) from None
    process.join()
    if error is not None:
        raise error


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Signal handler that unwinds the stack, so that half-written files are removed."""
    raise KeyboardInterrupt


def _run_worker(work: Callable[[T], None], item: T, share: int, jobs: int, connection: Connection) -> None:
    """Body of a worker process: run the work on its share of the cores, then send success or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all processes receive Ctrl-C; the parent ends the workers
    signal.signal(signal.SIGTERM, _interrupt)
    use_cores(share, jobs)
    try:
        work(item)
        connection.send(None)
    except (UserError, OSError) as error:
        connection.send(error)
    except KeyboardInterrupt:
        os._exit(143)  # half-written files are gone by now
    except Exception:
        connection.send(RuntimeError(traceback.format_exc()))
