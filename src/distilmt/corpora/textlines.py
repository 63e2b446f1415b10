"""Lines of text files, which may be gzipped.

Only a line feed (or carriage return and line feed) ends a line: U+2028, form feeds and their like stay inside it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from distilmt.errors import UserError

MAX_LINE_BYTES = 16 << 20
_BOM = b"\xef\xbb\xbf"


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, without their ends.

    Raises:
        UserError: one is too long or not UTF-8, or the file is a damaged gzip file.
    """
    offset = 0
    for number, raw in enumerate(_raw_lines(path), 1):
        start = len(_BOM) if number == 1 and raw.startswith(_BOM) else 0
        end = len(raw) - (2 if raw.endswith(b"\r\n") else raw.endswith(b"\n"))
        try:
            text = raw[start:end].decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}, line {number}: not UTF-8 at byte {offset + start + error.start} of the file:"
                " convert it, for example with iconv -f ISO-8859-1 -t UTF-8"
            ) from None
        if "\0" in text:
            raise UserError(f"{path}, line {number}: holds a NUL byte, so it is binary or UTF-16: convert it to UTF-8")
        offset += len(raw)
        yield text


def _raw_lines(path: Path) -> Iterator[bytes]:
    zipped = path.name.lower().endswith(".gz")
    with cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb") as file:
        number = 0
        try:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise UserError(
                        f"{path}, line {number}: is longer than {MAX_LINE_BYTES >> 20} MiB: put one sentence on a line"
                    )
                yield raw
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise UserError(f"{path} is a damaged or cut-off gzip file (after line {number}): get it again") from None
