"""Teachers that exist already: a Marian model is taken over whole, any other is pointed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import AutoModelForSeq2SeqLM, MarianMTModel

from distilmt.errors import UserError
from distilmt.rundir import read_json, write_json
from distilmt.students.presets import parameter_count
from distilmt.teachers.local import family, first_line, load_marian
from distilmt.tokenizer import Tokenizer
from distilmt.tokenizer import load as load_tokenizer

POINTER = "teacher.json"


def adopt(path: str, tokenizer: Tokenizer, directory: Path) -> dict[str, Any]:
    """Make `directory` stand for the teacher at `path`.

    A Marian model with the run's vocabulary is copied: it can tell how likely every word was. Any other model is
    pointed to: it can be asked for whole translations.

    Args:
        path: a Hugging Face model directory or hub name.
        tokenizer: the run's tokenizer.
        directory: the teacher's directory of the run.

    Raises:
        UserError: the model cannot be loaded.
    """
    kind = family(path)
    if kind == "marian" and _same_pieces(path, tokenizer):
        model = load_marian(path)
        model.save_pretrained(directory)
        tokenizer.copy_to(directory)
        return {"path": path, "family": kind, "parameters": _size(model)}
    size = _size(_load(path))
    facts = {"path": str(Path(path).resolve()) if Path(path).exists() else path, "family": kind, "parameters": size}
    write_json(directory / POINTER, facts)
    return facts


def pointer(directory: Path) -> str | None:
    """Path or hub name of the teacher `directory` points to; None if it holds the model itself."""
    return str(read_json(directory / POINTER)["path"]) if (directory / POINTER).exists() else None


def _same_pieces(path: str, tokenizer: Tokenizer) -> bool:
    directory = Path(path)
    if not (directory / "vocab.json").exists():
        return False
    return load_tokenizer(directory).fingerprint == tokenizer.fingerprint


def _load(path: str) -> Any:
    try:
        return AutoModelForSeq2SeqLM.from_pretrained(path, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"teacher {path!r} cannot be loaded from safetensors: {first_line(error)}") from None


def _size(model: MarianMTModel | Any) -> int:
    return parameter_count(model.requires_grad_(True))
