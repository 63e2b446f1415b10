"""The files of an exported model: a CTranslate2 directory written by distilmt, packed (.xz) or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distilmt.utils.errors import UserError
from distilmt.utils.unpacking import allowance, unxz


def is_model(path: Path) -> bool:
    """Whether a directory is an exported model, packed or not."""
    return has_file(path, "model.bin")


def has_file(path: Path, name: str) -> bool:
    """Whether a model has a file, packed or not."""
    return (path / name).exists() or (path / f"{name}.xz").exists()


def read_model_file(path: Path, name: str) -> bytes:
    """A file of a model, unpacked.

    Raises:
        UserError: it is packed, and damaged or a decompression bomb.
    """
    packed = path / f"{name}.xz"
    return unxz(packed) if packed.exists() else (path / name).read_bytes()


def unpacked_size(path: Path) -> int:
    """Total bytes of the files in a directory and its folders; packed files count with their allowed unpacked size."""
    files = [file for pattern in ("*", "*/*") for file in path.glob(pattern) if file.is_file()]
    sizes = ((file.suffix, file.stat().st_size) for file in files)
    return sum(allowance(size) if suffix == ".xz" else size for suffix, size in sizes)


def unpacked_files(path: Path) -> dict[str, object] | None:
    """The files of a packed model for CTranslate2, by name; None if it can read the directory itself."""
    if (path / "model.bin").exists():
        return None
    files = [file for file in path.iterdir() if file.is_file() and not file.name.removesuffix(".xz").endswith(".spm")]
    return {name: read_model_file(path, name) for name in (file.name.removesuffix(".xz") for file in files)}


def export_hint(path: Path) -> str:
    """What to name, or to do, where a directory holds no exports."""
    if any(map(is_model, path.resolve().parent.glob("exports/*"))):
        return f"name the run that it is a step of, {path.parent}"
    return "finish the run first"


def exported_model(path: Path, system: str = "student-int8") -> Path:
    """The exported model of a run directory, or the directory itself if it is one.

    Args:
        path: a run directory or an exported model.
        system: which export of a run; `compressed` is the result of `distilmt compress`.

    Raises:
        UserError: the path does not exist, or the run has no such export.
    """
    if is_model(path) or (path / "distilmt.json").exists():
        return path  # the loader reports missing files
    if not path.is_dir():
        raise UserError(f"{path} does not exist: name a run directory (runs/demo) or an exported model")
    directory = path / "compressed" / "model" if system == "compressed" else path / "exports" / system
    if is_model(directory) or (directory / "distilmt.json").exists():
        return directory
    names = sorted(model.name for model in path.glob("exports/*") if is_model(model))
    hint = f"it has {', '.join(names)}: name one with --system" if names else export_hint(path)
    raise UserError(f"{path} has no exported {system!r}: {hint}")


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of a model's `distilmt.json`.

    Raises:
        UserError: the directory is not an exported model, or `distilmt.json` is damaged.
    """
    missing = [name for name in ("model.bin", "distilmt.json") if not has_file(path, name)]
    if missing:
        models = sorted(str(place) for place in path.glob("exports/*") if is_model(place))
        remedy = f"name one of its exports, {', '.join(models)}" if models else "run `distilmt export` first"
        raise UserError(f"{path} is not an exported model ({missing[0]} is missing): {remedy}")
    try:
        manifest = json.loads((path / "distilmt.json").read_text(encoding="utf-8"))
        if (
            isinstance(manifest, dict)
            and int(manifest.get("max_positions", 0)) > 1
            and int(manifest.get("beam_size", 1)) > 0
        ):
            return manifest
        reason = "max_positions, beam_size or another value is invalid"
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = str(error)
    raise UserError(f"{path / 'distilmt.json'} is damaged ({reason}): copy or export the model again")


def card_languages(path: Path) -> tuple[str, str]:
    """Source and target language of a model from its card; empty without a card."""
    try:
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
        return str(card.get("source") or ""), str(card.get("target") or "")
    except (OSError, ValueError, AttributeError):
        return "", ""


@contextmanager
def wrap_mismatched_files(path: Path) -> Iterator[None]:
    """Turn what CTranslate2 raises where a model's files do not fit each other, which shows only as it translates.

    Raises:
        UserError: they do not.
    """
    try:
        yield
    except (ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: model.bin and the vocabularies do not fit each other ({reason}): copy or export the model again"
        ) from None
