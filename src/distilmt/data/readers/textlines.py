"""Lines of text files, which may be compressed.

Only a line feed (or carriage return and line feed) ends a line: U+2028, form feeds and similar stay inside it. In a
file without line feeds, carriage returns end lines, as on old Macs.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from distilmt.data.readers.compressed import utf8_chunks
from distilmt.utils.errors import UserError

MAX_LINE_BYTES = 16 << 20
_BUFFER = 1 << 18
_LOOK_AHEAD = 1 << 20


def text_lines(path: Path) -> Iterator[str | UserError]:
    """The lines of a UTF-8 text file (or UTF-16 and UTF-32 with a byte order mark), without line ends.

    An invalid line is yielded as an error with file, line and remedy; reading continues after it.

    Raises:
        UserError: the file is damaged, or compressed in an unknown format.
    """
    offset = 0
    for number, raw in enumerate(raw_lines(path), 1):
        where = f"{path}, line {number}"
        if len(raw) > MAX_LINE_BYTES:
            yield UserError(f"{where}: is longer than {MAX_LINE_BYTES >> 20} MiB: put one sentence on each line")
            continue
        try:
            text = raw[: len(raw) - (2 if raw.endswith(b"\r\n") else raw.endswith(b"\n"))].decode()
        except UnicodeDecodeError as error:
            yield UserError(
                f"{where}: not UTF-8 at byte {offset + error.start} of the text: convert it, for example with"
                " iconv -f ISO-8859-1 -t UTF-8"
            )
        else:
            nul = f"{where}: has a NUL byte, so it is binary or UTF-16 without a byte order mark: convert it to UTF-8"
            text = text.removeprefix("\ufeff") if number == 1 else text
            yield UserError(nul) if "\0" in text else text
        offset += len(raw)


def raw_lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends; too long ones are truncated slightly above the limit."""
    file = io.BufferedReader(_Stream(_with_line_feeds(utf8_chunks(path))), _BUFFER)
    while raw := file.readline(MAX_LINE_BYTES + 1):
        yield raw
        while len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE_BYTES + 1) or b"\n"


def _with_line_feeds(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, with line feeds instead of carriage returns if only these end the first lines."""
    first = b""
    while len(first) < _LOOK_AHEAD and b"\n" not in first and (chunk := next(chunks, b"")):
        first += chunk
    if b"\n" in first or b"\r" not in first:
        return chain((first,), chunks)
    return (chunk.replace(b"\r", b"\n") for chunk in chain((first,), chunks))


class _Stream(io.RawIOBase):
    """File object over chunks of bytes, for a single pass."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._pending = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._pending:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._pending = memoryview(chunk)
        size = min(len(buffer), len(self._pending))
        buffer[:size], self._pending = self._pending[:size], self._pending[size:]
        return size
