"""Integrity of models: checksums in cards and step records, and a one-line error if a file is not readable.

Every file of a model is read one more time, which takes a quarter of a second for 300 MB and two milliseconds for a
student. The result is not cached: a bit error on disk does not change a file's time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import STEP_FILE, FileChecksum, read_step

CARD = "card.json"
_REMEDY = "copy or export the model again"


def check_checksums(path: Path) -> None:
    """Compare the files of an exported model with its card; a model without a card or checksums passes.

    Args:
        path: the model's directory.

    Raises:
        UserError: a file is missing or differs, or the card cannot be read.
    """
    for name, entry in _card_files(path).items():
        file = path / name
        if not file.exists():
            if _in_other_form(file).exists():
                continue  # unpacked or packed by the user
            raise UserError(f"{file} is missing: {_REMEDY}")
        if _differs(file, entry):
            raise UserError(
                f"{file} is damaged (its checksum is not that of {CARD}): {_REMEDY},"
                f" or delete {CARD} if you changed the file yourself"
            )


def checksums(directory: Path, patterns: Iterable[str]) -> dict[str, FileChecksum]:
    """`bytes` and `sha256` of files directly in a directory, by name, for `check_step`."""
    files = sorted({path for pattern in patterns for path in directory.glob(pattern) if path.is_file()})
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in files}


def check_step(directory: Path) -> None:
    """Compare a finished step's files with its record; files without a record, or with an older one, pass.

    Args:
        directory: the directory of the step.

    Raises:
        UserError: a file is missing or differs; or the record cannot be read.
    """
    record = read_step(directory)
    for name, listed in (record.files if record else {}).items():
        file = directory / name
        if not file.is_file():
            raise UserError(f"{file} is missing: {remedy(directory)}")
        if _differs(file, listed):
            raise UserError(f"{file} is damaged (its checksum is not that of {STEP_FILE}): {remedy(directory)}")


def remedy(directory: Path) -> str:
    """Remedy for a missing or damaged file in a model's directory."""
    if (directory / STEP_FILE).exists():
        return f"copy the file back, or delete {directory} and repeat its run, which then creates only it again"
    return "copy the model again from its source"


def _differs(file: Path, listed: FileChecksum) -> bool:
    return file.stat().st_size != listed.get("bytes") or sha256(file) != listed.get("sha256")


def sha256(path: Path) -> str:
    """Checksum of a file, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def wrap_read_errors(path: Path, names: str) -> Iterator[None]:
    """Turn any error of a library about an unreadable file into one line.

    Args:
        path: the model's directory.
        names: names of the files that the block reads.

    Raises:
        UserError: the block raised an error; a UserError passes unchanged.
    """
    try:
        yield
    except (UserError, ImportError):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or path} is missing: {_REMEDY}") from None
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path}: {names} cannot be read ({lines[0][:200]}): {_REMEDY}") from None


def read_json_object(path: Path) -> JsonObject:
    """Read a JSON file that holds an object.

    Raises:
        UserError: it cannot be read.
    """
    with wrap_read_errors(path.parent, path.name):
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("no object")
        return value


def _card_files(path: Path) -> dict[str, FileChecksum]:
    if not (path / CARD).exists():
        return {}
    files = read_json_object(path / CARD).get("files", {})
    with wrap_read_errors(path, CARD):
        if not all(_is_inside(name) and isinstance(entry, dict) for name, entry in files.items()):
            raise ValueError("the list of files has the wrong format")
        return dict(files)


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and name.isprintable() and not name.startswith("/") and ".." not in parts and len(name) < 256


def _in_other_form(file: Path) -> Path:
    return file.with_suffix("") if file.suffix == ".xz" else file.with_name(f"{file.name}.xz")
