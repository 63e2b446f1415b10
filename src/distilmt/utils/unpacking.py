"""Unpack compressed files in bounded memory and disk space: decompression bombs are rejected.

The allowed unpacked size grows with the size of the file. Weights shrink by a third or less and text to a tenth, so
no real file reaches the bound; archives made to fill a disk shrink a thousandfold.
"""

from __future__ import annotations

import errno
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from distilmt.utils.errors import UserError

ZIP_ERRORS = (zipfile.BadZipFile, EOFError, RuntimeError, lzma.LZMAError, zlib.error)
"""Raised for a damaged, truncated or encrypted archive, by its directory or while a member is read.

RuntimeError covers NotImplementedError, a compression or version that zipfile does not read."""
MAX_DICTIONARY_BYTES = 256 << 20
"""Maximum memory of the decompressor: `xz -9` needs 65 MiB, `zstd --long=27` 128 MiB."""
_MAX_RATIO = 20
ALWAYS_ALLOWED_BYTES = 64 << 20
_MAX_UNPACKED_BYTES = 64 << 30
_MAX_ENTRIES = 10_000
_CHUNK = 1 << 20
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


def allowance(packed_bytes: int) -> int:
    """Bytes that a file of `packed_bytes` may unpack to."""
    return min(_MAX_UNPACKED_BYTES, max(ALWAYS_ALLOWED_BYTES, _MAX_RATIO * packed_bytes))


def xz_chunks(path: Path) -> Iterator[bytes]:
    """The content of an .xz file, one stream or several, in chunks of at most 1 MiB; its length is not bounded.

    Raises:
        lzma.LZMAError: it is damaged, or unpacking needs more than `MAX_DICTIONARY_BYTES`.
        EOFError: it is cut off.
    """
    with path.open("rb") as file:
        data = file.read(_CHUNK)
        if not data:
            raise EOFError("it is empty")
        while data:
            stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_DICTIONARY_BYTES)
            while not stream.eof:
                if stream.needs_input and not (data := data or file.read(_CHUNK)):
                    raise EOFError("it is cut off")
                if content := stream.decompress(data, _CHUNK):
                    yield content
                data = b""
            data = _without_padding(stream.unused_data, file.read(_CHUNK) if not stream.unused_data else b"")


def _without_padding(unused: bytes, following: bytes) -> bytes:
    """The bytes after a stream, without the zeros that may separate streams."""
    return (unused or following).lstrip(b"\0")


def unxz(path: Path) -> bytes:
    """The content of an .xz file.

    Raises:
        UserError: it is damaged, or unpacks to more than `allowance` of its size.
    """
    most = allowance(path.stat().st_size)
    content = bytearray()
    try:
        for chunk in xz_chunks(path):
            content += chunk
            if len(content) > most:
                raise UserError(
                    f"{path} unpacks to more than {most >> 20} MiB, {_MAX_RATIO} times its size: it is no packed model,"
                    " so leave it out"
                )
    except (lzma.LZMAError, EOFError) as error:
        raise UserError(f"{path} is broken ({error}): copy or export the model again") from None
    return bytes(content)


def unzip(path: Path, directory: Path) -> None:
    """Unpack a zip archive into a directory, after a check of its table of contents.

    Raises:
        UserError: it is damaged or encrypted, names files outside itself, or unpacks to more than `allowance` of its
        size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(path, archive.infolist())
            for entry in archive.infolist():
                archive.extract(entry, directory)
    except UserError:
        raise
    except Exception as error:  # a damaged entry raises any error of its decompressor, such as zlib.error
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        raise UserError(f"{path} is not a complete archive ({error}): copy or download it again") from None


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise UserError(f"{path} names files outside itself ({entry.filename!r}): it is unsafe, so leave it out")
    total, most = sum(entry.file_size for entry in entries), allowance(path.stat().st_size)
    if total > most or len(entries) > _MAX_ENTRIES:
        raise UserError(
            f"{path} unpacks to {total >> 20} MiB in {len(entries)} files, more than allowed for its size"
            f" ({most >> 20} MiB, {_MAX_ENTRIES} files): leave it out"
        )
    room = shutil.disk_usage(path.parent).free
    if total > room:
        raise UserError(f"{path} unpacks to {total >> 20} MiB, but only {room >> 20} MiB are free: free disk space")
