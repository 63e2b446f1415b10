"""The server's side of `document_process`: sends one document at a time and translates its sentences."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from distilmt.documents import TranslateWithAttention
from distilmt.serving.document_process import DocumentJob, JobResult
from distilmt.serving.errors import ApiError

logger = logging.getLogger(__name__)

POLL = 0.1  # seconds between two checks of the time limit
_WAIT = 5.0


class DocumentProcess:
    """One document process. Its methods are called from one thread at a time."""

    def __init__(self, keep: Sequence[str] = ()) -> None:
        """Start the process; `keep` has the patterns that are never translated."""
        command = [sys.executable, "-m", "distilmt.serving.document_process", *keep]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._outgoing = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._incoming = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()

    def run(self, job: DocumentJob, model: TranslateWithAttention, check: Callable[[], None]) -> JobResult:
        """The result of a job.

        Args:
            job: the job.
            model: translates the sentences, in the server's process.
            check: raises when the job must end.

        Raises:
            BrokenDocument: the document is broken (400).
            ApiError: the process ended (400), or an error of `check` or `model`; the process is then unusable.
        """
        try:
            self._outgoing.send(job)
            while True:
                while not self._incoming.poll(POLL):
                    check()
                kind, *values = self._incoming.recv()
                if kind in ("translate", "attention"):
                    self._outgoing.send(getattr(model, kind)(*values))
                else:
                    return _result(kind, values[0])
        except (EOFError, OSError):
            raise ApiError(400, "Invalid request: the document is broken") from None

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._outgoing.close()
        self._incoming.close()
        self._process.wait(_WAIT)


class BrokenDocument(ApiError):
    """A document that the process rejects; the process can then run the next job."""


def _result(kind: str, value: JobResult | str) -> JobResult:
    if kind == "done" and not isinstance(value, str):
        return value
    reason = str(value)
    if kind == "failed":
        logger.info(f"a document could not be read: {reason}")
        reason = "the document cannot be read"
    raise BrokenDocument(400, f"Invalid request: {reason}")
