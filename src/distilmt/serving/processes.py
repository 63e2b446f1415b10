"""The server's side of `document_process`: a document at a time is handed over, and its sentences are translated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from distilmt.documents import TranslateWithAttention
from distilmt.serving.document_process import DocumentJob
from distilmt.serving.errors import ApiError
from distilmt.utils import progress

POLL = 0.1  # seconds between two looks at whether the time is up
_WAIT = 5.0


class DocumentProcess:
    """One process. Its methods are called on one thread at a time."""

    def __init__(self, keep: Sequence[str] = ()) -> None:
        """Start it; `keep` has the patterns of what all documents keep."""
        command = [sys.executable, "-m", "distilmt.serving.document_process", *keep]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._outgoing = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._incoming = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()

    def run(self, job: DocumentJob, model: TranslateWithAttention, check: Callable[[], None]) -> Any:
        """What a job gives.

        Args:
            job: the work.
            model: translates its sentences, here.
            check: raises once the work is to end.

        Raises:
            Broken: the document is (400).
            Refused: the process ended (400), or what `check` or `model` raises: the process is of no use then.
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
        """End it, whatever it does."""
        self._process.kill()
        self._outgoing.close()
        self._incoming.close()
        self._process.wait(_WAIT)


class BrokenDocument(ApiError):
    """What the process itself refuses, after which it takes the next job."""


def _result(kind: str, value: Any) -> Any:
    if kind == "done":
        return value
    if kind == "failed":
        progress.info(f"a document could not be read: {value}")
        value = "the document cannot be read"
    raise BrokenDocument(400, f"Invalid request: {value}")
