"""Optional packages: which extra has them, and how to install it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from distilmt.utils.errors import UserError

# No package index has distilmt: an extra is installed from a clone. `pip install distilmt[...]` would install a
# foreign package that somebody published under this name.
_EXTRAS = {
    "PIL": "images",
    "av": "speech",
    "cv2": "pages",
    "datasets": "huggingface",
    "fastapi": "serve",
    "faster_whisper": "speech",
    "fontTools": "images",
    "ftfy": "train",
    "google": "onnx",
    "httptools": "serve",
    "huggingface_hub": "train",
    "markdown_it": "documents",
    "mdit_py_plugins": "documents",
    "mtdata": "mtdata",
    "multipart": "serve",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "opustools": "opus",
    "polib": "gettext",
    "prometheus_client": "serve",
    "py3langid": "langid",
    "pyarrow": "train",
    "pypdfium2": "pages",
    "python_multipart": "serve",
    "rapidocr": "pages",
    "ray": "ray",
    "sacremoses": "argos",
    "safetensors": "train",
    "sklearn": "classify",
    "skops": "classify",
    "subword_nmt": "argos",
    "thot": "shortlist",
    "tensorboard": "tensorboard",
    "tokenizers": "train",
    "torch": "train",
    "trackio": "trackio",
    "transformers": "train",
    "uvicorn": "serve",
    "uvloop": "serve",
    "wandb": "wandb",
}
_CORE = {
    "ctranslate2",
    "docstring_parser",
    "jsonargparse",
    "lxml",
    "numpy",
    "regex",
    "rich",
    "sacrebleu",
    "sentencepiece",
    "shtab",
    "yaml",
}
"""Packages of every installation."""


def install_command(extra: str = "") -> str:
    """How to install distilmt with an extra, as the remedy of an error message."""
    return f"pip install '.[{extra}]' in a clone of distilmt" if extra else "pip install . in a clone of distilmt"


def check_packages(purpose: str, packages: Sequence[str], extra: str = "") -> None:
    """Check that packages are installed, without importing them.

    Args:
        purpose: what needs them, the subject of the message.
        packages: names of top-level modules.
        extra: the extra of distilmt that has them; empty: its required packages.

    Raises:
        UserError: some are missing.
    """
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise UserError(f"{purpose} needs {', '.join(missing)}: {install_command(extra)}")


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn a missing package into one line with what to install.

    Args:
        name: what needs the package, such as `distilmt.distill`.

    Raises:
        UserError: a package of an extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = missing_package(error)
        if message is None:
            raise
        raise UserError(message.replace("this command", name)) from None


def missing_package(error: ModuleNotFoundError) -> str | None:
    """Message for a missing module, with what to install; None if distilmt does not know the package."""
    module = (error.name or "").split(".")[0]
    if module in _CORE:
        return f"this command needs {module}, which is not installed: {install_command()}"
    if module in _EXTRAS:
        return f"this command needs {module}, which is not installed: {install_command(_EXTRAS[module])}"
    return None
