"""Where the translations of files are written: a file, or a directory for several."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from distilmt.utils.arguments import check_written_path
from distilmt.utils.errors import UserError


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
