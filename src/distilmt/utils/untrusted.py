"""Models from elsewhere: configurations that would run code are refused, and what goes wrong in a load is one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distilmt.utils.errors import UserError

_HUB_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json")
_RUNS_CODE = {"auto_map", "custom_pipelines", "custom_generate", "trust_remote_code", "use_kernels", "kernel_config"}
_IMPLEMENTATION = re.compile(r"_?\w*_?implementation(?:_\w+)?")
_BUILT_IN = {"eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "grouped_mm", "batched_mm"}
_CACHES = {"cache_implementation"}
_TYPES = {"float64", "float32", "float16", "bfloat16", "auto"}
_PACKAGE = Path(__file__).parent


def check_configuration(path: str | Path) -> None:
    """See that no configuration of a model names code, a kernel, or a type that there is not, at any depth.

    To be called before transformers reads it, which fetches and runs what some keys name even where
    `trust_remote_code` is false.

    Args:
        path: a directory, or a name on the hub, whose configurations are fetched.

    Raises:
        UserError: one does; it names file, key and remedy.
    """
    for file in _configurations(path):
        try:
            content = json.loads(file.read_bytes())
        except RecursionError:
            raise UserError(f"{path}: {file.name} is nested too deep: take the model from where it was made") from None
        except (OSError, ValueError):
            continue  # whoever reads it says what is wrong with it
        if file.name == "config.json" and not isinstance(content, dict):
            raise UserError(f"{path}: {file.name} is no JSON object: take the model from where it was made")
        for key, value in _entries(content):
            if reason := _objection(key, value):
                raise UserError(f"{path}: {file.name} sets {key!r} to {json.dumps(value)[:60]}: {reason}")


@contextmanager
def loading(path: str | Path) -> Iterator[None]:
    """Turn whatever a library raises over a model from elsewhere into one line; faults of distilmt itself pass.

    Raises:
        UserError: names the model and the reason.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        if _raised_here(error):
            raise
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UserError(f"teacher {str(path)!r} cannot be loaded: {line[:300]}") from None


def _raised_here(error: BaseException) -> bool:
    """Whether distilmt's own code raised an error, and no library that it called."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and Path(traceback.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE)


def _configurations(path: str | Path) -> list[Path]:
    location = Path(path)
    if location.is_dir():
        files = (file for pattern in ("*.json", "*/*.json") for file in location.glob(pattern))
        return sorted(file for file in files if file.is_file() and "config" in file.name)
    if location.exists() or os.path.isabs(location) or str(path).startswith("."):
        return []
    return [file for name in _HUB_FILES if (file := _download(str(path), name))]


def _download(name: str, file: str) -> Path | None:
    """A file of a model on the hub; None if it has none, or cannot be reached."""
    from huggingface_hub import hf_hub_download

    with suppress(Exception):  # transformers then says what is wrong
        return Path(hf_hub_download(name, file))
    return None


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Every key at every depth."""
    pending = [content]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield from each.items()
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _objection(key: str, value: Any) -> str | None:
    """Why a key is refused; None where it is not."""
    if value is None or value is False or value in ({}, [], ""):
        return None
    if key in _RUNS_CODE:
        return "code that comes with a model is never run: delete the key if the model does without"
    if _IMPLEMENTATION.fullmatch(key) and key not in _CACHES and not _built_in(value):
        return "that may name code to be fetched and run: delete the key"
    if key == "quantization_config":
        return "name the model as it was before it was quantized"
    if key in ("dtype", "torch_dtype") and not _is_type(value):
        return f"there is no such type: use one of {', '.join(sorted(_TYPES))}"
    return None


def _built_in(value: Any) -> bool:
    """Whether an implementation is one of transformers' own: a name without a path, for all or by part."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(each is None or isinstance(each, bool) or each in _BUILT_IN for each in values)


def _is_type(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(isinstance(each, str) and each.removeprefix("torch.") in _TYPES for each in values)
