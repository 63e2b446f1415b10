"""Untrusted models: configurations that would run code are rejected, and load errors become one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distilmt.utils.errors import UserError

_HUB_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json")
_RUNS_CODE = {"auto_map", "custom_pipelines", "custom_generate", "trust_remote_code", "use_kernels", "kernel_config"}
_IMPLEMENTATION = re.compile(r"_?\w*_?implementation(?:_\w+)?")
_BUILT_IN = {"eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "grouped_mm", "batched_mm"}
_CACHES = {"cache_implementation"}
_TYPES = {"float64", "float32", "float16", "bfloat16", "auto"}
_PACKAGE = Path(__file__).parent
_HUB_SECONDS = 10


def check_configuration(path: str | Path) -> None:
    """Check that no configuration of a model names code, a kernel, or an unknown type, at any depth.

    Must be called before transformers reads it: some keys make transformers fetch and run code even if
    `trust_remote_code` is false.

    Args:
        path: a directory, or a name on the hub, whose configurations are fetched.

    Raises:
        UserError: a configuration does; the message has file, key and remedy.
    """
    for file in _configurations(path):
        try:
            content = json.loads(file.read_bytes())
        except RecursionError:
            raise UserError(f"{path}: {file.name} is nested too deep: copy the model again from its source") from None
        except (OSError, ValueError):
            continue  # the code that reads it reports the error
        if file.name == "config.json" and not isinstance(content, dict):
            raise UserError(f"{path}: {file.name} is not a JSON object: copy the model again from its source")
        for key, value in _entries(content):
            if reason := _objection(key, value):
                raise UserError(f"{path}: {file.name} sets {key!r} to {json.dumps(value)[:60]}: {reason}")


@contextmanager
def loading(path: str | Path) -> Iterator[None]:
    """Turn any error of a library about an untrusted model into one line; bugs of distilmt itself pass.

    Raises:
        UserError: the load failed; the message has the model and the reason.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a Rust panic is not an Exception
        if _raised_here(error):
            raise
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UserError(f"teacher {str(path)!r} cannot be loaded: {line[:300]}") from None


def _raised_here(error: BaseException) -> bool:
    """Whether distilmt's own code raised the error, not a library that it called."""
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
    _check_on_hub(str(path))
    return [file for name in _HUB_FILES if (file := _download(str(path), name))]


def _check_on_hub(name: str) -> None:
    """One request without the retries of a download: a wrong name, or a hub out of reach, is one line at once."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache

    try:
        if constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(name, "config.json"), str):
            return
        HfApi().model_info(name, timeout=_HUB_SECONDS)
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UserError(
            f"{name!r} is not a directory, and the Hugging Face hub does not give a model of that name "
            f"({reason[:200]}): check the path, the name or the connection"
        ) from None


def _download(name: str, file: str) -> Path | None:
    """A file of a model on the hub; None if the model does not have it, or the hub cannot be reached."""
    from huggingface_hub import hf_hub_download

    with suppress(Exception):  # transformers then reports the error
        return Path(hf_hub_download(name, file))
    return None


def _entries(content: object) -> Iterator[tuple[str, object]]:
    """Every key and value at every depth."""
    pending = [content]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield from each.items()
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _objection(key: str, value: object) -> str | None:
    """Why a key is rejected; None if it is allowed."""
    if value is None or value is False or value in ({}, [], ""):
        return None
    if key in _RUNS_CODE:
        return "code of a model is never run: delete the key if the model works without it"
    if _IMPLEMENTATION.fullmatch(key) and key not in _CACHES and not _built_in(value):
        return "the value may name code to fetch and run: delete the key"
    if key == "quantization_config":
        return "use the model from before its quantization"
    if key in ("dtype", "torch_dtype") and not _is_type(value):
        return f"unknown type: use one of {', '.join(sorted(_TYPES))}"
    return None


def _built_in(value: object) -> bool:
    """Whether an implementation is built into transformers: a name without a path, for the model or per part."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(each is None or isinstance(each, bool) or each in _BUILT_IN for each in values)


def _is_type(value: object) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(isinstance(each, str) and each.removeprefix("torch.") in _TYPES for each in values)
