"""Bytes of corpus files, compressed or not, and of text files as UTF-8: streamed, in bounded memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from distilmt.utils.errors import UserError
from distilmt.utils.unpacking import xz_chunks

SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""Compression format by file extension."""
_CHUNK = 1 << 18
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_OTHERS = {
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a": "RAR",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\x1f\x9d": "compress",
    b"\x5d\0\0": "LZMA",
}
# Longer byte order marks first: that of UTF-32 begins with that of UTF-16.
_BOMS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def plain_name(path: Path) -> str:
    """A file's name without the extension of a compression."""
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def byte_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked if it is compressed, regardless of its name.

    Raises:
        UserError: it is damaged, or compressed in an unknown format.
    """
    kind = _compression(path)
    try:
        yield from _decompressed_chunks(path, kind)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path} is a damaged or truncated {kind} file: copy or download it again") from None


def utf8_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a text file; UTF-16 and UTF-32 with a byte order mark are converted to UTF-8.

    Raises:
        UserError: as `byte_chunks`; or the text is not valid UTF-16 or UTF-32.
    """
    chunks = byte_chunks(path)
    first = b""
    while len(first) < 4 and (chunk := next(chunks, b"")):
        first += chunk
    codec = next((codec for bom, codec in _BOMS if first.startswith(bom)), None)
    if codec is None:
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        yield decoder.decode(first).encode()  # with the byte order mark, which UTF-8 may have too
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise UserError(
            f"{path} is not valid {codec[:6].upper()}, as its byte order mark says: convert it to UTF-8"
        ) from None


def _compression(path: Path) -> str | None:
    """Compression format of a file by its first bytes; None if it is not compressed."""
    with path.open("rb") as file:
        head = file.read(16)
    named = SUFFIXES.get(path.suffix.lower())
    compression = _by_magic(head)
    if compression or not named or not head:
        if other := next((name for magic, name in _OTHERS.items() if not compression and head.startswith(magic)), None):
            raise UserError(f"{path} is compressed ({other}), which is not supported: unpack it, or pack it as .gz")
        return compression
    if named == "zstd" and head[1:4] == b"\x2a\x4d\x18":  # a skippable frame comes first
        return named
    raise UserError(f"{path} is named {path.suffix} but is no {named} file: correct its name, or copy it again")


def _by_magic(head: bytes) -> str | None:
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    return "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else None


def _decompressed_chunks(path: Path, kind: str | None) -> Iterator[bytes]:
    if kind == "xz":
        yield from xz_chunks(path)
    elif kind == "zstd":
        with pa.input_stream(str(path), compression="zstd") as stream:
            yield from iter(partial(stream.read, _CHUNK), b"")
    else:
        with _opened(path, kind) as file:
            yield from iter(partial(file.read, _CHUNK), b"")


def _opened(path: Path, kind: str | None) -> BinaryIO:
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path))
    return cast(BinaryIO, bz2.open(path)) if kind == "bzip2" else path.open("rb")
