"""Open untrusted model files first in a child process with bounded memory and time.

The libraries that read them (CTranslate2, SentencePiece, tokenizers, safetensors) are written in C++ and Rust: a
damaged or malicious file may crash them or make them allocate all memory. Here that ends only the child process and
becomes one line.
"""

from __future__ import annotations

import os
import tempfile
from importlib import metadata
from pathlib import Path

from distilmt.inference.sandbox import limits
from distilmt.utils.run_dir import fingerprint, fingerprint_files
from distilmt.utils.unpacking import unzip

_REVISION = 1
"""Version of the checks: a higher version repeats checks that passed before."""
_LIBRARIES = ("ctranslate2", "safetensors", "sentencepiece", "tokenizers")
_ENDINGS = (".bin", ".json", ".model", ".spm", ".safetensors", ".txt", ".xz")


def check_model_files(path: str | Path) -> None:
    """Check that the model files of a directory, or an `.argosmodel`, can be opened safely.

    Must be called before any other code opens an untrusted model. A passed check is cached by the checksum of the
    files and the versions of the libraries (in `distilmt/checked` of the user's cache directory).

    Args:
        path: a directory of CTranslate2, Hugging Face or Argos Translate, or an `.argosmodel`; a path that does not
            exist (a name on the hub) is skipped.

    Raises:
        UserError: a file crashes the library that reads it, needs more memory or time than allowed for its size, or
        cannot be read.
    """
    model_path = Path(path)
    if not model_path.exists():
        return
    files = [model_path] if model_path.is_file() else _model_files(model_path)
    marker = _cache() / _key(files, model_path)
    if files and not marker.exists():
        if model_path.is_file():
            with tempfile.TemporaryDirectory(prefix="distilmt-check-") as directory:
                unzip(model_path, Path(directory))
                limits.run_child(Path(directory), shown=model_path)
        else:
            limits.run_child(model_path, shown=model_path)
        _remember(marker)


def _model_files(directory: Path) -> list[Path]:
    """The files of a model, in the directory and one level below."""
    files = (file for pattern in ("*", "*/*") for file in directory.glob(pattern))
    return sorted(file for file in files if file.suffix.lower() in _ENDINGS and file.is_file())


def _key(files: list[Path], place: Path) -> str:
    names = [str(file.relative_to(place)) for file in files]
    versions = [_version(name) for name in _LIBRARIES]
    return fingerprint([_REVISION, versions, names, fingerprint_files(*files)])


def _version(package: str) -> str:
    """The version of a package; empty if it is not installed, as those of the extra `train` may be."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distilmt" / "checked"


def _remember(marker: Path) -> None:
    """If the cache cannot be written, the check is only repeated next time."""
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        return
