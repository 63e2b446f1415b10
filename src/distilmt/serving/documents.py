"""Documents: translated on threads, kept in memory for a while under names that nobody can guess."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from distilmt.documents import TranslateWithAttention, placeholders
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.serving.document_process import DocumentJob, translate_job
from distilmt.serving.errors import ApiError
from distilmt.serving.processes import BrokenDocument, DocumentProcess
from distilmt.utils.errors import UserError

_AT_A_TIME = 2
_TEXTS_AT_A_TIME = 16
_RETENTION_SECONDS = 600.0
_CACHE_BYTES = 100_000_000
_NAME = 48  # characters of a name: 192 bytes at most


class Documents:
    """Translated documents. Nothing a client sends names a file here: what is kept is kept in memory."""

    def __init__(
        self, seconds: float = 120.0, cache_bytes: int = _CACHE_BYTES, keep: KeepPatterns | None = None
    ) -> None:
        """Start without a process.

        Args:
            seconds: that a document may take.
            cache_bytes: of translated documents, at most.
            keep: what all documents and texts keep, besides placeholders and code.
        """
        self._keep_in_all = keep or KeepPatterns()
        self._threads = ThreadPoolExecutor(_AT_A_TIME, "document")
        self._text_threads = ThreadPoolExecutor(_TEXTS_AT_A_TIME, "text")
        self._processes: list[DocumentProcess] = []
        self._in_flight = 0
        self._cache: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        self._seconds, self._cache_bytes = seconds, cache_bytes
        self._stop = float("inf")

    async def run(
        self,
        job: DocumentJob,
        model: Callable[[Callable[[], None]], TranslateWithAttention],
        begun: float | None = None,
    ) -> Any:
        """Do what takes a while, in a process of its own.

        Args:
            job: the work.
            model: called with a function that raises once the work is to end; translates.
            begun: when (`time.monotonic`) the document's time began, if not now.

        Raises:
            Refused: the document is broken (400) or takes too long (413), too many are under way or the server stops
                (503).
        """
        if self._in_flight >= 4 * _AT_A_TIME:
            raise ApiError(503, "The server is busy with documents: try again later", 10.0)
        self._in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, job, model, begun)
        finally:
            self._in_flight -= 1

    async def run_text(self, text: str, model: Callable[[Callable[[], None]], TranslateWithAttention]) -> str:
        """Translate a short text around its placeholders and code, beside whatever documents are under way.

        Raises:
            Refused: as `run`.
        """
        job = DocumentJob("text", [text])
        work = self._text_threads.submit(lambda: translate_job(job, self._keeping(model(self._deadline_check()))))
        try:
            return str((await asyncio.wrap_future(work))[0])
        except (UserError, ValueError) as error:
            raise ApiError(400, f"Invalid request: {error}") from None

    async def sample(self, job: DocumentJob, begun: float) -> str:
        """Texts from all over a document, as many as its language is detected from.

        Raises:
            Refused: as `run`.
        """
        untranslated = TranslateWithAttention(lambda texts: texts, lambda texts, _: [[] for _ in texts])
        (text,) = await self.run(replace(job, is_sampled=True), lambda _: untranslated, begun)
        return str(text)

    def protects(self, text: str) -> bool:
        """Whether a text has placeholders, code or else what must be kept as it stands.

        Raises:
            Refused: a pattern of what is kept takes too long on it (400).
        """
        grammar = placeholders.Grammar(keep=self._keep_in_all)
        try:
            return any(not isinstance(part, str) for part in placeholders.split_placeholders(text, grammar))
        except UserError as error:
            raise ApiError(400, f"Invalid request: {error}") from None

    def _keeping(self, model: TranslateWithAttention) -> TranslateWithAttention:
        return replace(model, keep=self._keep_in_all)

    def _deadline_check(self, begun: float | None = None) -> Callable[[], None]:
        """What raises once the time of a document that begins now, or began then, is up."""
        deadline = (time.monotonic() if begun is None else begun) + self._seconds

        def check() -> None:
            if time.monotonic() > self._stop:
                raise ApiError(503, "The server is stopping: send the document again", 5.0)
            if time.monotonic() > deadline:
                raise ApiError(
                    413, f"Invalid request: the document takes longer than {self._seconds:g} seconds: send it in parts"
                )

        check()
        return check

    def _run(
        self, job: DocumentJob, model: Callable[[Callable[[], None]], TranslateWithAttention], begun: float | None
    ) -> Any:
        """On a thread."""
        check = self._deadline_check(begun)
        process = self._processes.pop() if self._processes else DocumentProcess(self._keep_in_all.patterns)
        is_usable = False
        try:
            result = process.run(job, model(check), check)
            is_usable = True
            return result
        except BrokenDocument:
            is_usable = True
            raise
        finally:
            if is_usable:
                self._processes.append(process)
            else:
                process.close()

    def stop(self, grace: float) -> None:
        """Let no document take longer than `grace` seconds from now."""
        self._stop = min(self._stop, time.monotonic() + grace)

    def keep(self, name: str, data: bytes) -> str:
        """Keep a document for a while; returns the last part of its address."""
        now = time.monotonic()
        while self._cache and (self._is_old(now) or self._size() + len(data) > self._cache_bytes):
            self._cache.popitem(last=False)
        token = f"{secrets.token_urlsafe(24)}.{name}"
        self._cache[token] = (now, name, data)
        return token

    def find(self, token: str) -> tuple[str, bytes]:
        """A kept document and its name.

        Raises:
            Refused: there is none (404), or no longer.
        """
        then, name, data = self._cache.get(token, (-_RETENTION_SECONDS, "", b""))
        if time.monotonic() - then > _RETENTION_SECONDS or not name:
            raise ApiError(404, "No such file, or no longer: translate it again")
        return name, data

    def close(self) -> None:
        """Let the threads and processes go."""
        self.stop(0.0)
        for threads in (self._threads, self._text_threads):
            threads.shutdown(wait=True, cancel_futures=True)
        while self._processes:
            self._processes.pop().close()

    def _is_old(self, now: float) -> bool:
        return now - next(iter(self._cache.values()))[0] > _RETENTION_SECONDS

    def _size(self) -> int:
        return sum(len(data) for _, _, data in self._cache.values())


def suffixes() -> list[str]:
    """Kinds of documents that are translated, such as `.docx`; none where the reader is not installed."""
    try:
        from distilmt import documents
    except ImportError:
        return []
    return sorted(documents.SUFFIXES)


def suffix(name: str) -> str:
    """The kind of a document by its name.

    Raises:
        Refused: it is not one that is translated (400).
    """
    extension = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if extension not in suffixes():
        raise ApiError(400, "Invalid request: file format not supported")
    return extension


def safe_name(name: str, target: str) -> str:
    """A name for the translation that is safe in headers and on any disk: `report_it.docx` of `a/b/report.docx`.

    Letters and digits of all scripts stay.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/"))
    stem = re.sub(r"[^\w-]+", "_", path.stem).strip("_")[:_NAME]
    ending = re.sub(r"[^A-Za-z0-9.]", "", path.suffix)[:16].lower()
    return f"{stem or 'document'}_{target}{ending}"


def disposition(name: str) -> str:
    """The Content-Disposition header (RFC 6266) of a `safe_name`: in ASCII, and where that is not all, in UTF-8."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", unicodedata.normalize("NFKD", name)).lstrip("_.")
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name)}"
