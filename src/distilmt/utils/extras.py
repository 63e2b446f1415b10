"""Optional packages: which extra has them, and how to install it."""

from __future__ import annotations

# No package index has distilmt: an extra is installed from a clone. `pip install distilmt[...]` would install a
# foreign package that somebody published under this name.
_EXTRAS = {
    "datasets": "huggingface",
    "fastapi": "serve",
    "google": "onnx",
    "httptools": "serve",
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
    "python_multipart": "serve",
    "ray": "ray",
    "sacremoses": "argos",
    "skops": "classify",
    "sklearn": "classify",
    "subword_nmt": "argos",
    "thot": "shortlist",
    "uvicorn": "serve",
    "uvloop": "serve",
}
_CORE = {
    "ctranslate2",
    "huggingface_hub",
    "jsonargparse",
    "lxml",
    "lz4",
    "numpy",
    "pyarrow",
    "regex",
    "rich",
    "sacrebleu",
    "safetensors",
    "sentencepiece",
    "tokenizers",
    "torch",
    "transformers",
    "yaml",
}
"""Required packages; a serve-only installation (`packaging/serve.txt`) lacks some of them."""


def install_command(extra: str = "") -> str:
    """How to install distilmt with an extra, as the remedy of an error message."""
    return f"pip install '.[{extra}]' in a clone of distilmt" if extra else "pip install . in a clone of distilmt"


def missing_package(error: ModuleNotFoundError) -> str | None:
    """Message for a missing module, with what to install; None if distilmt does not know the package."""
    module = (error.name or "").split(".")[0]
    if module in _CORE:
        return f"this command needs {module}, which is not installed: {install_command()}"
    if module in _EXTRAS:
        return f"this command needs {module}, which is not installed: {install_command(_EXTRAS[module])}"
    return None
