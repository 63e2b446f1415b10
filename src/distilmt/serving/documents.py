"""Document translation on threads; results stay in memory for a limited time under unguessable names."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import quote

import numpy as np

from distilmt.documents import TranslateWithAttention, placeholders
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.serving.document_process import (
    DOCUMENTS,
    PICTURES,
    RECORDINGS,
    DocumentJob,
    Job,
    JobResult,
    kind_of,
    picture_of,
    recording_of,
    texts_of,
    translate_job,
)
from distilmt.serving.errors import ApiError
from distilmt.serving.picture_job import PictureJob, PictureResult
from distilmt.serving.processes import BrokenDocument, DocumentProcess, Functions
from distilmt.serving.recording_job import RecordingJob, RecordingResult
from distilmt.utils.errors import UserError

_AT_A_TIME = 2
"""Documents, and recordings besides: a recording waits for the model most of its time."""
_WAITING = {DOCUMENTS: 8, PICTURES: 8, RECORDINGS: 64}
"""Most jobs of a kind that are in progress or wait; recordings are often single sentences."""
_TEXTS_AT_A_TIME = 16
_RETENTION_SECONDS = 600.0
_CACHE_BYTES = 100_000_000
_NAME = 48  # characters of a name: at most 192 bytes


class Documents:
    """Translated documents. They are stored in memory only, so that clients' file names are never used as paths."""

    def __init__(
        self, seconds: float = 120.0, cache_bytes: int = _CACHE_BYTES, keep: KeepPatterns | None = None
    ) -> None:
        """Start without a process.

        Args:
            seconds: time limit of a document.
            cache_bytes: maximum size of all stored documents.
            keep: patterns that are never translated, besides placeholders and code.
        """
        self._keep_in_all = keep or KeepPatterns()
        documents = ThreadPoolExecutor(_AT_A_TIME, "document")
        recordings = ThreadPoolExecutor(_AT_A_TIME, "recording")
        self._threads = {DOCUMENTS: documents, PICTURES: documents, RECORDINGS: recordings}
        self._text_threads = ThreadPoolExecutor(_TEXTS_AT_A_TIME, "text")
        self._processes: dict[str, list[DocumentProcess]] = {kind: [] for kind in self._threads}
        self._in_flight = dict.fromkeys(self._threads, 0)
        self._cache: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        self._seconds, self._cache_bytes = seconds, cache_bytes
        self._stop = float("inf")

    async def run(
        self,
        job: DocumentJob,
        model: Callable[[Callable[[], None]], TranslateWithAttention],
        begun: float | None = None,
    ) -> JobResult:
        """Run a job in a separate process.

        Args:
            job: the job.
            model: called with a function that raises when the job must end; returns the model.
            begun: start of the document's time limit (`time.monotonic`); by default now.

        Raises:
            ApiError: the document is broken (400) or takes too long (413), too many documents are in progress or the
                server is stopping (503).
        """

        def functions(check: Callable[[], None]) -> Functions:
            translator = model(check)
            return {"translate": translator.translate, "attention": translator.attention}

        return await self._on_thread(job, functions, begun)

    async def run_picture(
        self, job: PictureJob, translate: Callable[[list[np.ndarray], Callable[[], None]], list[str]]
    ) -> PictureResult:
        """Run a job with a picture in a separate process.

        Args:
            job: the job.
            translate: translates pictures of lines; its second argument raises when the job must end.

        Raises:
            ApiError: as `run`; or the picture is too large (413).
        """

        def functions(check: Callable[[], None]) -> Functions:
            return {"lines": lambda lines: translate(lines, check)}

        return picture_of(await self._on_thread(job, functions))

    async def run_recording(
        self, job: RecordingJob, translate: Callable[[list[np.ndarray], Callable[[], None]], list[str]]
    ) -> RecordingResult:
        """Run a job with a recording in a separate process; arguments and errors as `run_picture`, of utterances."""

        def functions(check: Callable[[], None]) -> Functions:
            return {"utterances": lambda utterances: translate(utterances, check)}

        return recording_of(await self._on_thread(job, functions))

    async def _on_thread(
        self, job: Job, functions: Callable[[Callable[[], None]], Functions], begun: float | None = None
    ) -> JobResult:
        kind = kind_of(job)
        if self._in_flight[kind] >= _WAITING[kind]:
            raise ApiError(503, f"The server is busy with {kind}s: try again later", 10.0)
        self._in_flight[kind] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads[kind], self._run, job, functions, begun)
        finally:
            self._in_flight[kind] -= 1

    async def run_text(self, text: str, model: Callable[[Callable[[], None]], TranslateWithAttention]) -> str:
        """Translate a short text with placeholders or code, independently of documents in progress.

        Raises:
            ApiError: as `run`.
        """
        job = DocumentJob("text", [text])
        work = self._text_threads.submit(lambda: translate_job(job, self._keeping(model(self._deadline_check()))))
        try:
            return texts_of(await asyncio.wrap_future(work))[0]
        except (UserError, ValueError) as error:
            raise ApiError(400, f"Invalid request: {error}") from None

    async def sample(self, job: DocumentJob, begun: float) -> str:
        """A sample of a document's text for language identification.

        Raises:
            ApiError: as `run`.
        """
        untranslated = TranslateWithAttention(lambda texts: texts, lambda texts, _: [[] for _ in texts])
        (text,) = texts_of(await self.run(replace(job, is_sampled=True), lambda _: untranslated, begun))
        return text

    def protects(self, text: str) -> bool:
        """Whether a text contains placeholders, code or other parts that must not be translated.

        Raises:
            ApiError: a `keep` pattern takes too long (400).
        """
        grammar = placeholders.Grammar(keep=self._keep_in_all)
        try:
            return any(not isinstance(part, str) for part in placeholders.split_placeholders(text, grammar))
        except UserError as error:
            raise ApiError(400, f"Invalid request: {error}") from None

    def _keeping(self, model: TranslateWithAttention) -> TranslateWithAttention:
        return replace(model, keep=self._keep_in_all)

    def _deadline_check(self, begun: float | None = None, kind: str = DOCUMENTS) -> Callable[[], None]:
        """A function that raises when the time limit of a document is over, counted from `begun` or from now."""
        deadline = (time.monotonic() if begun is None else begun) + self._seconds

        def check() -> None:
            if time.monotonic() > self._stop:
                raise ApiError(503, f"The server is stopping: send the {kind} again", 5.0)
            if time.monotonic() > deadline:
                raise ApiError(
                    413, f"Invalid request: the {kind} takes longer than {self._seconds:g} seconds: send it in parts"
                )

        check()
        return check

    def _run(self, job: Job, functions: Callable[[Callable[[], None]], Functions], begun: float | None) -> JobResult:
        """Run a job on a thread, in a process that is reused if it is still usable."""
        kind = kind_of(job)
        check = self._deadline_check(begun, kind)
        idle = self._processes[kind]
        process = idle.pop() if idle else DocumentProcess(kind, self._keep_in_all.patterns)
        is_usable = False
        try:
            result = process.run(job, functions(check), check)
            is_usable = True
            return result
        except BrokenDocument:
            is_usable = True
            raise
        finally:
            if is_usable:
                idle.append(process)
            else:
                process.close()

    def stop(self, grace: float) -> None:
        """Set a deadline for all documents, `grace` seconds from now."""
        self._stop = min(self._stop, time.monotonic() + grace)

    def keep(self, name: str, data: bytes) -> str:
        """Store a document for a limited time; returns the last part of its URL."""
        now = time.monotonic()
        while self._cache and (self._is_old(now) or self._size() + len(data) > self._cache_bytes):
            self._cache.popitem(last=False)
        token = f"{secrets.token_urlsafe(24)}.{name}"
        self._cache[token] = (now, name, data)
        return token

    def find(self, token: str) -> tuple[str, bytes]:
        """A stored document and its name.

        Raises:
            ApiError: there is none, or it has expired (404).
        """
        then, name, data = self._cache.get(token, (-_RETENTION_SECONDS, "", b""))
        if time.monotonic() - then > _RETENTION_SECONDS or not name:
            raise ApiError(404, "No such file, or it has expired: translate it again")
        return name, data

    def close(self) -> None:
        """Stop the threads and processes."""
        self.stop(0.0)
        for threads in (*self._threads.values(), self._text_threads):
            threads.shutdown(wait=True, cancel_futures=True)
        for processes in self._processes.values():
            while processes:
                processes.pop().close()

    def _is_old(self, now: float) -> bool:
        return now - next(iter(self._cache.values()))[0] > _RETENTION_SECONDS

    def _size(self) -> int:
        return sum(len(data) for _, _, data in self._cache.values())


def suffixes() -> list[str]:
    """Supported suffixes of documents, such as `.docx`; none if the reader is not installed."""
    try:
        from distilmt import documents
    except ImportError:
        return []
    return sorted(documents.SUFFIXES)


def suffix(name: str, supported: Collection[str]) -> str:
    """The suffix of a document's name, one of the supported ones.

    Raises:
        ApiError: the format is not supported (400).
    """
    extension = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if extension not in supported:
        raise ApiError(400, "Invalid request: file format not supported")
    return extension


def safe_name(name: str, target: str) -> str:
    """A name for the translation that is safe in headers and file systems: `report_it.docx` for `a/b/report.docx`.

    Letters and digits of all scripts are retained.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/"))
    stem = re.sub(r"[^\w-]+", "_", path.stem).strip("_")[:_NAME]
    ending = re.sub(r"[^A-Za-z0-9.]", "", path.suffix)[:16].lower()
    return f"{stem or 'document'}_{target}{ending}"


def disposition(name: str) -> str:
    """The Content-Disposition header (RFC 6266) of a `safe_name`: in ASCII, and also in UTF-8 if they differ."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", unicodedata.normalize("NFKD", name)).lstrip("_.")
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name)}"
