"""One-line messages for errors outside of distilmt: disks, paths, missing packages, memory."""

from __future__ import annotations

import errno
import os
import re

from distilmt.utils.extras import missing_package

_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EPERM)
_PATH = (
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.EINVAL,
    errno.ENAMETOOLONG,
    errno.ENODEV,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.ENXIO,
)
# As `run_dir.atomic_path` names a file while it is written.
_TEMPORARY = re.compile(r"(?:(?<=[/\\])|^)\.([^/\\]+)\.\d+\.tmp$")
_AGAIN = "then run the same command again"
# Rust's format of a system error, at the end of its message.
_RUST = re.compile(r"\(os error (\d+)\)")


def message(error: Exception, resumes: bool = False) -> str | None:
    """One line with a remedy; None if the error may be a bug of distilmt, which needs a traceback.

    Args:
        error: the error.
        resumes: whether the same command continues the work.
    """
    line = _line(error)
    return f"{line} to resume" if line and resumes and line.endswith(_AGAIN) else line


def _line(error: Exception) -> str | None:
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, MemoryError):
        return "out of memory: use a smaller model or smaller batches, or close other programs"
    if number := _RUST.search(str(error)):  # safetensors and tokenizers
        return _of_system(OSError(int(number[1]), os.strerror(int(number[1]))))
    return None


def _final_name(name: str | bytes) -> str:
    """A path as its user named it: files are written under a temporary name beside it first."""
    return _TEMPORARY.sub(r"\1", os.fsdecode(name))


def _of_system(error: OSError) -> str:
    text = error.strerror or str(error)
    names = [_final_name(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    where = f" ({' → '.join(names)})" if names else ""
    if error.errno in _ROOM:
        return f"{text}{where}: free space or permit writing, {_AGAIN}"
    if error.errno in _PATH:
        return f"{text}{where}: check the path, or name another one"
    return f"{text[:400]}{where}: fix this, {_AGAIN}"
