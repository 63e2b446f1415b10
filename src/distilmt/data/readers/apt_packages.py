"""Download Debian packages with apt's own client and read files out of them; nothing is installed."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from distilmt.data.readers import apt
from distilmt.utils.errors import UserError

_MAX_FILE_BYTES = 32 << 20
_MAX_FILES_BYTES = 256 << 20


@dataclass(frozen=True)
class DebianPackage:
    """A downloaded package file."""

    name: str
    source: str
    """Its source package."""
    version: str
    path: Path


@contextmanager
def downloaded(patterns: Sequence[str], cache: Path, config_file: Path | None = None) -> Iterator[list[DebianPackage]]:
    """The newest packages of given names, in the order of the patterns; the files are removed at the end.

    Args:
        patterns: names of packages; `*` stands for any characters. Names that apt's sources lack are left out.
        cache: folder that holds the files meanwhile, and that the caller has locked.
        config_file: apt configuration read after the machine's (for other sources).

    Raises:
        UserError: no apt, no network, or none of the packages.
    """
    work = cache / f".apt-{os.getpid()}-packages"
    try:
        extra = apt.PACKAGES_TARGET + (config_file.read_text() if config_file else "")
        error_line = apt.update(["none"], work, extra)
        names = _matching(patterns, _names(work / "lists"))
        if not names:
            raise UserError(
                f"apt has none of the packages {', '.join(patterns)[:80]} ({error_line}): check the network and apt's"
                f" sources, {apt.INSTEAD}"
            )
        error_line = apt.run_apt(["download", *names], work, "download packages with apt")
        paths = {path.name.split("_")[0]: path for path in work.glob("*.deb")}
        if missing := [name for name in names if name not in paths]:
            raise UserError(f"apt could not fetch {missing[0]} ({error_line}): try again, {apt.INSTEAD}")
        yield [_described(name, paths[name]) for name in names]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _names(lists: Path) -> list[str]:
    text = b"\n".join(apt.read_index(index) for index in apt.index_files(apt.PACKAGES, lists))
    return sorted({name.decode() for name in re.findall(rb"^Package: (\S+)", text, re.MULTILINE)})


def _matching(patterns: Sequence[str], names: list[str]) -> list[str]:
    """Names that match, in the order of the patterns, each once."""
    return list(dict.fromkeys(name for pattern in patterns for name in fnmatch.filter(names, pattern)))


def _described(name: str, path: Path) -> DebianPackage:
    command = ["dpkg-deb", "--show", "--showformat=${source:Package}\t${Version}", str(path)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        raise _damaged(path, process.stderr)
    source, version = process.stdout.split("\t")
    return DebianPackage(name, source or name, version, path)


def files(package: Path, name_pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of a package whose whole names (`usr/share/…`) match, in the package's order.

    The package is unpacked in memory, one file at a time.

    Args:
        package: a .deb file.
        name_pattern: pattern of whole names.

    Raises:
        UserError: the package is damaged, or its files are larger than any catalog.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            yield from _members(package, process.stdout, name_pattern)
            while process.stdout.read(1 << 20):
                pass  # the padding of the archive
            if process.wait():  # tarfile takes an archive that ends between two files for a whole one
                errors.seek(0)
                raise _damaged(package, errors.read().decode(errors="replace"))
        except tarfile.TarError as error:
            raise _damaged(package, str(error)) from None
        finally:
            process.kill()


def _damaged(package: Path, reason: str) -> UserError:
    return UserError(f"{package.name} is damaged ({' '.join(reason.split())[:150]}): download it again")


def _members(package: Path, stream: IO[bytes], name_pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    total = 0
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else tarfile remembers all of them
            name = member.name.removeprefix("./")
            if not member.isfile() or name_pattern.fullmatch(name) is None:
                continue
            total += member.size
            if member.size > _MAX_FILE_BYTES or total > _MAX_FILES_BYTES:
                raise UserError(f"{package.name}: {name} is too large to read ({member.size:,} bytes): leave it out")
            content = archive.extractfile(member)
            assert content is not None
            yield name, content.read()
