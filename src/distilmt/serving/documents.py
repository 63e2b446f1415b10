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
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import quote

from distilmt.errors import UserError
from distilmt.serving.errors import Refused

_AT_A_TIME = 2
_KEPT_SECONDS = 600.0
_KEPT_BYTES = 100_000_000
_NAME = 48  # characters of a name: 192 bytes at most
_READ = 4000  # characters that are enough to identify a document's language

Translate = Callable[[list[str]], list[str]]
T = TypeVar("T")


class Documents:
    """Translated documents. Nothing a client sends names a file here: what is kept is kept in memory."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._threads = ThreadPoolExecutor(_AT_A_TIME, "document")
        self._under_way = 0
        self._kept: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        self._kept_bytes = kept_bytes

    async def run(self, work: Callable[[], T]) -> T:
        """Do what takes a while, on a thread.

        Raises:
            Refused: the document is broken (400), or too many are under way (503).
        """
        if self._under_way >= 4 * _AT_A_TIME:
            raise Refused(503, "The server is busy with documents: try again later", 10.0)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except UserError as error:
            raise Refused(400, f"Invalid request: {error}") from None
        except (ValueError, RecursionError):
            raise Refused(400, "Invalid request: the document is broken") from None
        finally:
            self._under_way -= 1

    def keep(self, name: str, data: bytes) -> str:
        """Keep a document for a while; returns the last part of its address."""
        now = time.monotonic()
        while self._kept and (self._is_old(now) or self._size() + len(data) > self._kept_bytes):
            self._kept.popitem(last=False)
        token = f"{secrets.token_urlsafe(24)}.{name}"
        self._kept[token] = (now, name, data)
        return token

    def find(self, token: str) -> tuple[str, bytes]:
        """A kept document and its name.

        Raises:
            Refused: there is none (404), or no longer.
        """
        then, name, data = self._kept.get(token, (-_KEPT_SECONDS, "", b""))
        if time.monotonic() - then > _KEPT_SECONDS or not name:
            raise Refused(404, "No such file, or no longer: translate it again")
        return name, data

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_old(self, now: float) -> bool:
        return now - next(iter(self._kept.values()))[0] > _KEPT_SECONDS

    def _size(self) -> int:
        return sum(len(data) for _, _, data in self._kept.values())


def suffixes() -> list[str]:
    """Kinds of documents that are translated, such as `.docx`; none where the reader is not installed."""
    try:
        from distilmt import formats
    except ImportError:
        return []
    return sorted(formats.SUFFIXES)


def suffix(name: str) -> str:
    """The kind of a document by its name.

    Raises:
        Refused: it is not one that is translated (400).
    """
    found = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if found not in suffixes():
        raise Refused(400, "Invalid request: file format not supported")
    return found


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


def text_of(data: bytes, kind: str) -> str:
    """The beginning of what people read in a document; runs on a thread.

    Raises:
        UserError: as `translate`.
    """
    texts: list[str] = []

    def copy(some: list[str]) -> list[str]:
        if sum(map(len, texts)) < _READ:
            texts.extend(some)
        return some

    translate(data, kind, copy)
    return " ".join(texts)


def translate(data: bytes, kind: str, translate: Translate) -> bytes:
    """A translated document; runs on a thread.

    Raises:
        UserError: it is broken, or bigger inside than it may be.
    """
    from distilmt import formats

    return bytes(formats.translate_document(data, f"document{kind}", translate))


def translate_html(text: str, translate: Translate) -> str:
    """Translated markup; runs on a thread.

    Raises:
        Refused: the reader is not installed (400).
    """
    try:
        from distilmt import formats
    except ImportError:
        raise Refused(400, "html format is not supported") from None
    return str(formats.translate_html(text, translate))
