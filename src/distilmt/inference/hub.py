"""Models on the Hugging Face hub: `hf:OWNER/NAME`, with `@REVISION` for a branch, a tag or a commit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from distilmt.inference.manifest import MANIFEST, has_manifest, is_model, resolve_name
from distilmt.inference.sandbox import check_model_files
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.untrusted import check_configuration

PREFIX = "hf:"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
"""`OWNER/NAME`."""
_PACKABLE = ("model.bin", "config.json", "*.spm", "*vocabulary.json", "*vocabulary.txt", "vmap.txt", "bpe.codes")
FILES = (
    *(MANIFEST, "card.json", "README.md"),
    *(f"{pattern}{ending}" for pattern in _PACKABLE for ending in ("", ".xz")),
    *("tokenizer/*.json", "tokenizer/*.model", "tokenizer/*.spm", "tokenizer/*.txt"),
)
"""Patterns of the files of a CTranslate2 export; nothing else is downloaded, in particular no code and no pickle."""
LOGIN = "log in with `hf auth login`, or set HF_TOKEN"
"""What gives access to a model."""


def hub_name(name: str | Path) -> str | None:
    """`OWNER/NAME[@REVISION]` of a name that begins with `hf:`; None for all others."""
    text = str(name)
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def model_directory(name: str | Path) -> Path:
    """The directory of a model: a path as it is, the built-in `demo`, a model of the hub after its download.

    A model that was downloaded before is downloaded again only if it changed. If the hub cannot be reached, the copy
    in the cache of huggingface_hub is used.

    Args:
        name: a path, `demo`, or `hf:OWNER/NAME[@REVISION]`.

    Raises:
        UserError: the hub has no such model or cannot be reached, a file of the model is not safe to open, or the
        package huggingface_hub is missing.
    """
    repository = hub_name(name)
    if repository is None:
        return resolve_name(Path(name))
    directory = download(str(name), FILES)
    if not (is_model(directory) and has_manifest(directory)):
        raise UserError(
            f"{name} is not a model that distilmt exported (model.bin or {MANIFEST} is missing): name another one, or "
            "distill it as a teacher"
        )
    return directory


def download(name: str, patterns: Sequence[str]) -> Path:
    """The directory with a model's files of these patterns, in the cache of huggingface_hub.

    Args:
        name: `hf:OWNER/NAME[@REVISION]`.
        patterns: patterns of the files; nothing else is downloaded.

    Raises:
        UserError: as `model_directory`.
    """
    repository = hub_name(name) or ""
    repo_id, _, revision = repository.partition("@")
    if not repo_id or repository.endswith("@"):
        raise UserError(f"{name} names no model: write hf:OWNER/NAME or hf:OWNER/NAME@REVISION")
    with hub_errors(name), without_progress_bars():
        from huggingface_hub import snapshot_download

        directory = Path(snapshot_download(repo_id, revision=revision or None, allow_patterns=list(patterns)))
    check_configuration(directory)
    check_model_files(directory)
    return directory


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Turn any error of huggingface_hub into one line.

    Args:
        name: the model in messages.

    Raises:
        UserError: huggingface_hub raised an error, or is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "huggingface_hub":
            raise
        raise UserError(f"{name} needs huggingface_hub, which is not installed: {install_command('hub')}") from None
    except Exception as error:
        raise UserError(f"{name}: {_reason(error)}") from None


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Switch off the bars of huggingface_hub, which some versions draw into files and pipes, too."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _reason(error: Exception) -> str:
    """What is wrong, and what to do."""
    from huggingface_hub import errors

    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(error, errors.HFValidationError):
        return f"not a name of the hub ({line[:200]}): write OWNER/NAME"
    if isinstance(error, errors.GatedRepoError):
        return f"its owner gives access on request: accept the conditions on its page, then {LOGIN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has the model, but not this revision: name a branch, a tag or a commit"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the hub has no model of this name, or it is private: check the name, or {LOGIN}"
    if status == 401 or isinstance(error, errors.LocalTokenNotFoundError):
        return f"the hub needs a valid token: {LOGIN}"
    if status == 403:
        return f"your token does not allow this: create one with write access, then {LOGIN}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set: unset it"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "it is not in the cache, and the hub cannot be reached: check the connection and HF_HUB_OFFLINE"
    return f"the hub gives an error ({line[:200]}): check the connection, and try again later"
