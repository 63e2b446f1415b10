"""Files that are translated, and where their translations are written: a file, or a directory for several."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from distilmt.utils.arguments import check_written_path
from distilmt.utils.errors import UserError


def source_files(names: Sequence[str], suffixes: Collection[str], noun: str, kind: str) -> list[Path]:
    """Files to translate. Nothing is read.

    Args:
        names: their paths.
        suffixes: those that the model reads.
        noun: what the files are, for messages: `recordings`.
        kind: what the model reads: `speech`.

    Raises:
        UserError: a file is missing, or of another kind.
    """
    sources = [Path(name) for name in names]
    for source in sources:
        if not source.is_file():
            raise UserError(f"{source} does not exist, or is not a file: name {noun} after the model")
        if source.suffix.lower() not in suffixes:
            raise UserError(
                f"{source}: the model reads {kind}, not {source.suffix or 'this'}: use {' '.join(suffixes)}"
            )
    return sources


def output_files(
    flag: str, output: str, sources: Sequence[Path], names: Sequence[str], suffixes: Collection[str]
) -> list[Path]:
    """The file for every source. Nothing is read or created.

    Args:
        flag: the option, for messages.
        output: what it says: the file for one source, or a directory for any number, with `/` where it is new.
        sources: the files to translate.
        names: the name of every source's translation in a directory.
        suffixes: those of translations.

    Raises:
        UserError: the output is a file, or named like one, but there are several sources; or a file would overwrite a
            source or another one.
    """
    check_written_path(flag, output)
    path, count = Path(output), f"there are {len(sources)} translations"
    has_directory_name = path.is_dir() or output.endswith("/")
    is_directory = has_directory_name or len(sources) > 1
    if is_directory and path.exists() and not path.is_dir():
        raise UserError(f"{flag} {path} is a file, but {count}: name a directory")
    if is_directory and not has_directory_name and path.suffix.lower() in suffixes:
        raise UserError(f"{flag} {path} is named like a file, but {count}: name a directory, or write {path}/")
    files = [path / name for name in names] if is_directory else [path]
    resolved = {file.resolve() for file in files}
    if len(resolved) < len(files) or resolved & {source.resolve() for source in sources}:
        raise UserError(f"{flag} {path}: one file would overwrite another: use another directory or name")
    return files
