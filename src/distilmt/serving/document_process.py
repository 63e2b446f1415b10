"""A process that reads and writes documents for the server, and sends their sentences to the server for translation.

`python -m distilmt.serving.document_process KIND PATTERN…` (of `--keep`) processes jobs from its standard input until
that is closed. The server can kill it: a malicious document cannot slow down other requests, and its memory is limited.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import TypeAlias

import numpy as np

from distilmt.documents import TranslateWithAttention, translate_document, translate_html, translate_text
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.inference.base import WordAttention
from distilmt.serving.detection import sample
from distilmt.serving.picture_job import PictureJob, PictureResult, translate_picture
from distilmt.serving.recording_job import RecordingJob, RecordingResult, translate_recording_job
from distilmt.utils.errors import TooLargeError, UserError

DOCUMENTS, PICTURES, RECORDINGS = "document", "picture", "recording"
"""Kinds of processes: what they read, in messages to clients too."""
_MEMORY = {DOCUMENTS: 2_000_000_000, PICTURES: 3_000_000_000, RECORDINGS: 3_000_000_000}
"""Bytes of address space. Decoding the largest picture, 64 million pixels with transparency, takes 1.75 GB; finding the
lines of a page, with the libraries, 0.97 GB."""
_MAX_FILE = 1_000_000_000
"""Bytes of a temporary file."""
_NICENESS = 10


@dataclass(frozen=True)
class DocumentJob:
    """A document or texts to translate."""

    kind: str
    """Suffix of the document's name, such as `.docx`; `html` or `text` for texts of a request."""
    content: bytes | list[str]
    """A document, or texts."""
    keep: tuple[str, ...] = ()
    """The client's regular expressions of text that must not be translated."""
    is_sampled: bool = False
    """Return a sample of the document's text for language identification, instead of a translation."""


Job: TypeAlias = DocumentJob | PictureJob | RecordingJob
JobResult: TypeAlias = bytes | list[str] | PictureResult | RecordingResult
"""A document for a document, texts for texts; for a sample one text."""


def kind_of(job: Job) -> str:
    """The kind of process that a job needs."""
    if isinstance(job, DocumentJob):
        return DOCUMENTS
    return PICTURES if isinstance(job, PictureJob) else RECORDINGS


def texts_of(result: JobResult) -> list[str]:
    """The result of a job with texts, or of a sample."""
    assert isinstance(result, list)
    return result


def document_of(result: JobResult) -> bytes:
    """The result of a job with a document."""
    assert isinstance(result, bytes)
    return result


def picture_of(result: JobResult) -> PictureResult:
    """The result of a job with a picture."""
    assert isinstance(result, PictureResult)
    return result


def recording_of(result: JobResult) -> RecordingResult:
    """The result of a job with a recording."""
    assert isinstance(result, RecordingResult)
    return result


def translate_job(job: DocumentJob, model: TranslateWithAttention) -> JobResult:
    """The translation of a document or of texts; or a sample of a document, as one text.

    Raises:
        UserError: the document is broken or too large when unpacked; or the client's patterns are invalid.
    """
    if job.is_sampled:
        return [_sampled(job)]
    if job.keep:
        model = replace(model, keep=KeepPatterns.of((*model.keep.patterns, *job.keep), "keep"))
    if isinstance(job.content, bytes):
        return translate_document(job.content, f"document{job.kind}", model)
    if job.kind == "html":
        return [translate_html(text, model) for text in job.content]
    return [translate_text(text, model) for text in job.content]


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
    """Process jobs until the input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes our input
    incoming, outgoing = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # printed text must not mix with the results
    with suppress(OSError, ValueError):
        os.nice(_NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY[sys.argv[1]],) * 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE,) * 2)

    def translate(texts: list[str]) -> list[str]:
        outgoing.send(("translate", texts))
        return list(incoming.recv())

    def attention(texts: list[str], translations: list[str]) -> list[list[WordAttention]]:
        outgoing.send(("attention", texts, translations))
        return list(incoming.recv())

    def translate_arrays(name: str, arrays: list[np.ndarray]) -> list[str]:
        outgoing.send((name, arrays))
        return list(incoming.recv())

    model = TranslateWithAttention(translate, attention, keep=KeepPatterns(tuple(sys.argv[2:])))
    with suppress(EOFError, OSError):
        while True:
            job = incoming.recv()
            if isinstance(job, PictureJob):
                work = partial(translate_picture, job, partial(translate_arrays, "lines"))
                outgoing.send(_media_outcome(work, "the picture takes too much memory: scale it down"))
            elif isinstance(job, RecordingJob):
                speech = partial(translate_recording_job, job, partial(translate_arrays, "utterances"))
                outgoing.send(_media_outcome(speech, "the recording takes too much memory: send it in parts"))
            else:
                outgoing.send(_outcome(partial(translate_job, job, model)))
    return 0


def _media_outcome(work: Callable[[], JobResult], no_memory: str) -> tuple[str, JobResult | str]:
    """As `_outcome`; libraries of pictures and sound raise errors of their own when memory ends."""
    try:
        return "done", work()
    except (EOFError, BrokenPipeError):
        raise
    except TooLargeError as error:
        return "too large", str(error)
    except UserError as error:
        return "refused", str(error)
    except Exception as error:
        if isinstance(error, MemoryError) or "alloc" in str(error).lower() or "memory" in str(error).lower():
            return "too large", no_memory
        return "failed", f"{type(error).__name__}: {error}"


def _outcome(work: Callable[[], JobResult]) -> tuple[str, JobResult | str]:
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
    except Exception as error:  # a bug, which the server logs
        return "failed", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
