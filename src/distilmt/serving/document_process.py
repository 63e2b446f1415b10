"""A process that reads and writes documents for the server, in between lets the server translate, and can be ended.

`python -m distilmt.serving.document_process PATTERN…` (of `--keep`) answers jobs on its standard input until that is
closed. Here a document that is made to take long slows nobody else, and what it takes of memory is bounded.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from distilmt.documents import TranslateWithAttention, translate_document, translate_html
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.serving.detection import sample
from distilmt.utils.errors import UserError

_MEMORY = 2_000_000_000
_NICENESS = 10


@dataclass(frozen=True)
class DocumentJob:
    """What is to be translated."""

    kind: str
    """Ending of a document's name, such as `.docx`; `html` and `text` are texts of a request."""
    content: bytes | list[str]
    """A document, or texts."""
    keep: tuple[str, ...] = ()
    """Regular expressions of what the client wants kept."""
    is_sampled: bool = False
    """Whether a sample of the document's texts is wanted, to detect its language, instead of a translation."""


def translate_job(job: DocumentJob, model: TranslateWithAttention) -> bytes | list[str]:
    """A document's or texts' translation; or the sample that is wanted of a document, as one text.

    Raises:
        UserError: the document is broken, or bigger inside than it may be; or the client's patterns are not usable.
    """
    if job.is_sampled:
        return [_sampled(job)]
    if job.keep:
        model = replace(model, keep=KeepPatterns.of((*model.keep.patterns, *job.keep), "keep"))
    if isinstance(job.content, bytes):
        return translate_document(job.content, f"document{job.kind}", model)
    if job.kind == "html":
        return [translate_html(text, model) for text in job.content]
    return [translate_document(text.encode(), "text.txt", model).decode() for text in job.content]


def _sampled(job: DocumentJob) -> str:
    texts: list[str] = []

    def collect(batch: list[str]) -> list[str]:
        texts.extend(batch)
        return batch

    translate_job(
        replace(job, keep=(), is_sampled=False),
        TranslateWithAttention(collect, lambda sources, _: [[] for _ in sources]),
    )
    return sample(" ".join(texts))


def main() -> int:
    """Answer jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, for the server; it closes our input
    incoming, outgoing = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # whatever prints must not get between the answers
    with suppress(OSError, ValueError):
        os.nice(_NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))

    def call(*message: Any) -> Any:
        outgoing.send(message)
        return incoming.recv()

    keep = KeepPatterns(tuple(sys.argv[1:]))
    model = TranslateWithAttention(
        lambda texts: call("translate", texts),
        lambda texts, translations: call("attention", texts, translations),
        keep=keep,
    )
    with suppress(EOFError, OSError):
        while True:
            job = incoming.recv()
            outgoing.send(_outcome(lambda job=job: translate_job(job, model)))  # type: ignore[misc]
    return 0


def _outcome(work: Callable[[], bytes | list[str]]) -> tuple[str, Any]:
    try:
        return "done", work()
    except (EOFError, OSError):
        raise
    except UserError as error:
        return "refused", str(error)
    except (ValueError, RecursionError):
        return "refused", "the document is broken"
    except MemoryError:
        return "refused", "the document takes too much memory: send it in parts"
    except Exception as error:  # a fault of ours, which the server's log names
        return "failed", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
