"""The server's side of `document_process`: sends one document at a time and translates its sentences."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from distilmt.serving.document_process import DOCUMENTS, Job, JobResult
from distilmt.serving.errors import ApiError

logger = logging.getLogger(__name__)

POLL = 0.1  # seconds between two checks of the time limit
_WAIT = 5.0
Functions: TypeAlias = Mapping[str, Callable[..., Any]]
"""What a process may call in the server, by name."""


class DocumentProcess:
    """One document process. Its methods are called from one thread at a time."""

    def __init__(self, kind: str, keep: Sequence[str] = ()) -> None:
        """Start the process for a kind of jobs; `keep` has the patterns that are never translated."""
        command = [sys.executable, "-m", "distilmt.serving.document_process", kind, *keep]
        # A process that is killed leaves its temporary files behind: they have a directory of their own.
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True) if kind != DOCUMENTS else None
        environment = {**os.environ, "TMPDIR": self._temporary.name} if self._temporary else None
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._kind = kind
        assert self._process.stdin and self._process.stdout
        self._outgoing = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._incoming = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()

    def run(self, job: Job, functions: Functions, check: Callable[[], None]) -> JobResult:
        """The result of a job.

        Args:
            job: the job.
            functions: what translates, in the server's process.
            check: raises when the job must end.

        Raises:
            BrokenDocument: the document is broken (400).
            ApiError: the process ended (400), the document is too large (413), or an error of `check` or a function;
                the process is then unusable.
        """
        try:
            self._outgoing.send(job)
            while True:
                while not self._incoming.poll(POLL):
                    check()
                name, *values = self._incoming.recv()
                if name in functions:
                    self._outgoing.send(functions[name](*values))
                else:
                    return _result(name, values[0], self._kind)
        except (EOFError, OSError):
            raise ApiError(400, f"Invalid request: the {self._kind} is broken") from None

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._outgoing.close()
        self._incoming.close()
        self._process.wait(_WAIT)
        if self._temporary:
            self._temporary.cleanup()


class BrokenDocument(ApiError):
    """A document that the process rejects; the process can then run the next job."""


def _result(outcome: str, value: JobResult | str, kind: str) -> JobResult:
    if outcome == "done" and not isinstance(value, str):
        return value
    reason = str(value)
    if outcome == "too large":
        raise ApiError(413, f"Invalid request: {reason}")
    if outcome == "failed":
        logger.info(f"a {kind} could not be read: {reason}")
        reason = f"the {kind} cannot be read"
    raise BrokenDocument(400, f"Invalid request: {reason}")
