"""The files of an exported model: a CTranslate2 directory written by distilmt, packed (.xz) or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypedDict, cast

from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.unpacking import allowance, unxz

MANIFEST = "distilmt.json"
DEFAULT_SYSTEM = "student-int8"
"""The export of a run that translates if none is named."""


class ExportManifest(TypedDict, total=False):
    """Content of `distilmt.json`; other keys, of later versions, are kept."""

    format: int
    """Version of this record, 1."""
    compute_type: str
    """CTranslate2 type of the weights."""
    compute_in: str
    """The type to compute in, if it is not that of the weights: they are another program's."""
    max_positions: int
    """Maximum length of a sentence in tokens."""
    beam_size: int
    """The beam size that `distilmt compress` selected; 4 if missing."""
    capitals: bool
    """Whether the model was trained on sentences in capitals; missing: each sentence decides."""
    tokenizer: str
    """`huggingface` or `subword-nmt`; missing: SentencePiece."""
    source_end: bool
    """Whether a source ends in `</s>` (missing: it does, except with subword-nmt)."""
    source_language: str
    """Source language in the code of the tokenizer."""
    target_language: str
    """Target language in the code of Moses' rules."""
    target_prefix: str
    """First token of a translation, of multilingual models."""
    prefix: str
    """Text before every source."""
    shortlist: JsonObject
    """Settings and coverage of `vmap.txt`."""
    outside: JsonObject
    """Instead of a model: how to reach the program, server or transformers model (a `TeacherReference`)."""
    torch: str
    """Instead of a CTranslate2 model: the architecture of a model that PyTorch translates with."""
    input: str
    """`image` for a model that reads pictures, `speech` for one that reads speech; missing: it reads text."""
    height: int
    """Height of its pictures in pixels."""
    columns_per_frame: int
    """Columns of pixels that make one frame."""
    max_columns: int
    """Maximum width of its pictures in pixels."""
    stack: int
    """Mel frames of 10 ms that make one frame of speech."""
    max_seconds: float
    """Longest utterance in seconds."""


def has_manifest(path: Path) -> bool:
    """Whether a directory is an export, of a model or of a reference to one."""
    return (path / MANIFEST).exists()


def load_manifest(path: Path) -> ExportManifest:
    """The manifest of any export, unchecked.

    Raises:
        UserError: it is missing or is not JSON.
    """
    return cast("ExportManifest", read_json(path / MANIFEST))


def write_manifest(path: Path, manifest: ExportManifest) -> None:
    """Write the manifest of an export atomically."""
    write_json(path / MANIFEST, manifest)


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
    if form := _form(path):
        return f"it is an export as {form}, which other programs run: its README.md says how; name another export"
    if any(map(is_model, path.resolve().parent.glob("exports/*"))):
        return f"name the run that it is a step of, {path.parent}"
    return "finish the run first"


def resolve_name(path: Path) -> Path:
    """The directory of a model that is installed with distilmt; any other path unchanged."""
    return path if path.exists() else pretrained.STUDENTS.get(str(path), path)


def _form(path: Path) -> str:
    """The format of an export as its card names it; empty without a card."""
    try:
        return str(json.loads((path / "card.json").read_text(encoding="utf-8")).get("form") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def exported_model(path: Path, system: str = DEFAULT_SYSTEM) -> Path:
    """The exported model of a run directory, or the directory itself if it is one.

    Args:
        path: a run directory or an exported model; `demo`: the built-in English-Italian student.
        system: which export of a run; `compressed` is the result of `distilmt compress`.

    Raises:
        UserError: the path does not exist, the run has no such export, or a model is named with an export.
    """
    path = resolve_name(path)
    if is_model(path) or has_manifest(path):
        if system not in (DEFAULT_SYSTEM, path.resolve().name):
            raise UserError(f"{path} is one model, not a run with several, such as {system!r}: leave --system out")
        return path  # the loader reports missing files
    if path.is_file():
        raise UserError(
            f"{path} is a file: name a run directory (runs/demo) or an exported model, which is a directory"
        )
    if not path.is_dir():
        hub = (
            f", or hf:{path} for a model of the Hugging Face hub" if re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)) else ""
        )
        raise UserError(f"{path} does not exist: name a run directory (runs/demo) or an exported model{hub}")
    directory = path / "compressed" / "model" if system == "compressed" else path / "exports" / system
    if is_model(directory) or has_manifest(directory):
        return directory
    names = sorted(model.name for model in path.glob("exports/*") if is_model(model))
    hint = f"it has {', '.join(names)}: name one with --system" if names else export_hint(path)
    raise UserError(f"{path} has no exported {system!r}: {hint}")


def read_manifest(path: Path) -> ExportManifest:
    """The manifest of a model that CTranslate2 translates with.

    Raises:
        UserError: the directory is not an exported model, or `distilmt.json` is damaged.
    """
    missing = [name for name in ("model.bin", MANIFEST) if not has_file(path, name)]
    if missing:
        raise UserError(f"{path} is not an exported model ({missing[0]} is missing): {_missing_remedy(path)}")
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if (
            isinstance(manifest, dict)
            and int(manifest.get("max_positions", 0)) > 1
            and int(manifest.get("beam_size", 1)) > 0
        ):
            return cast("ExportManifest", manifest)
        reason = "max_positions, beam_size or another value is invalid"
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = str(error)
    raise UserError(f"{path / MANIFEST} is damaged ({reason}): copy or export the model again")


def _missing_remedy(path: Path) -> str:
    models = sorted(str(place) for place in path.glob("exports/*") if is_model(place))
    if models:
        return f"name one of its exports, {', '.join(models)}"
    return export_hint(path) if _form(path) else "run `distilmt export` first"


def input_of(path: Path) -> str:
    """What an export reads: `text`, `image` or `speech`."""
    return load_manifest(path).get("input", "text") if has_manifest(path) else "text"


def reads_pictures(path: Path) -> bool:
    """Whether an export reads pictures instead of text."""
    return has_manifest(path) and load_manifest(path).get("input") == "image"


_READS = {"text": "text", "image": "pictures", "speech": "speech"}
_USE = {"image": "translate picture files with it", "speech": "translate recordings with it"}


def check_input(path: Path, manifest: ExportManifest, reader: Literal["text", "image", "speech"]) -> None:
    """Check that a model reads text, pictures or speech.

    Raises:
        UserError: it reads something else.
    """
    kind = manifest.get("input", "text")
    if kind == reader:
        return
    remedy = f"name an export of a student with student.input: {reader}"
    if reader == "text":
        remedy = f"{_USE.get(kind, 'update distilmt')}, or name a model of text"
    raise UserError(f"{path} reads {_READS.get(kind, kind)}, not {_READS[reader]}: {remedy}")


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
