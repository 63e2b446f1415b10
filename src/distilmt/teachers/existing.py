"""Existing teachers: a Marian model is copied into the run, any other is referenced by a pointer file."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import ctranslate2
from huggingface_hub import ModelCard
from torch import nn
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedModel

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.config.effects import keys_of
from distilmt.data.tokenizer import Tokenizer
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.inference.sandbox import check_model_files
from distilmt.inference.teacher_reference import TeacherReference, read_reference
from distilmt.models import int8_weights
from distilmt.models.architectures import ARCHITECTURES, architecture, architecture_of
from distilmt.models.checkpoint import load_model, save_model
from distilmt.models.presets import parameter_count
from distilmt.teachers.remote import check_teacher
from distilmt.teachers.response_cache import cache_file
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.step_results import ModelResult, from_record
from distilmt.utils.untrusted import check_configuration, loading

logger = logging.getLogger(__name__)

POINTER = "teacher.json"
_FIRST_KEYS = ("model", "prompt", "max_tokens")


def family(path: str) -> str:
    """The architecture of a model directory or hub name (`marian`, `t5`, `m2m_100`, …).

    Raises:
        UserError: there is no model of that name, or it does not read text.
    """
    check_configuration(path)
    name = architecture_of(Path(path)) or _family_of_transformers(path)
    if name in ARCHITECTURES and architecture(name).reads_frames:
        raise UserError(f"teacher {path!r} is a {name} model, which reads no text: choose one that translates text")
    return name


def _family_of_transformers(path: str) -> str:
    with loading(path):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if not config.is_encoder_decoder:
        raise UserError(f"teacher {path!r} is a {config.model_type} model: choose a sequence-to-sequence model")
    return str(config.model_type)


def import_teacher(
    config: TeacherConfig,
    pair: tuple[str, str],
    tokenizer: Tokenizer,
    directory: Path,
    examples: Sequence[tuple[str, str]] = (),
) -> ModelResult:
    """Write the configured teacher, or a pointer to it, to `directory`.

    A model of one of distilmt's architectures (Marian) with the run's vocabulary is copied: it can score tokens. Any
    other teacher is referenced by a pointer: it can only translate.

    Args:
        config: the teacher.
        pair: source and target language codes.
        tokenizer: the run's tokenizer.
        directory: the teacher's directory of the run.
        examples: sentence pairs for the requests to a language model.

    Returns:
        Name, family, license and, if the weights could be counted, parameters.

    Raises:
        UserError: the teacher cannot be loaded, or does not translate.
    """
    path = config.path
    if path:
        _check_exists(path)
    if path and not is_ctranslate2(path) and _is_native(path) and _shares_vocabulary(path, tokenizer):
        model = load_model(path)
        save_model(model, tokenizer, directory)
        license_name = _stated_license(path).get("license")
        return ModelResult(name=path, family=model.architecture, parameters=_size(model), license=license_name)
    return from_record(ModelResult, write_pointer(config, pair, directory, examples))


def write_pointer(
    config: TeacherConfig, pair: tuple[str, str], directory: Path, examples: Sequence[tuple[str, str]] = ()
) -> TeacherReference:
    """Write a pointer to the configured teacher; check that it exists and translates.

    Args:
        config: the teacher.
        pair: source and target language codes.
        directory: directory of the pointer.
        examples: sentence pairs for the requests to a language model.

    Raises:
        UserError: it does not exist or does not translate.
    """
    facts = describe_teacher(config)
    if examples:
        facts["request"] = {**facts["request"], "examples": [list(example) for example in examples]}
    if facts["kind"] not in ("huggingface", "ctranslate2"):
        check_teacher({**with_endpoint(facts, config.endpoint), "source": pair[0], "target": pair[1]})
    write_json(directory / POINTER, facts)
    return facts


def describe_teacher(config: TeacherConfig) -> TeacherReference:
    """Facts of a referenced teacher: its kind and name, how to reach it, and its license."""
    if config.command:
        return {"kind": "command", "name": config.command, "family": "command", "command": config.command}
    if config.url:
        name = config.endpoint.model or config.url
        return {
            "kind": config.api,
            "name": name,
            "family": config.api,
            "url": config.url,
            "request": _request(config.endpoint),
        }
    path = str(config.path)
    _check_exists(path)
    resolved_path = str(Path(path).resolve()) if Path(path).exists() else path
    facts: TeacherReference = {"name": path, "path": resolved_path}
    if config.source_prefix is not None:
        facts["prefix"] = config.source_prefix
    if is_ctranslate2(path):
        return {"kind": "ctranslate2", "family": "ctranslate2", **facts, **_stated_license(path)}
    size = _size(load_model(path) if int8_weights.is_only_form(Path(path)) else _load(path))
    return {"kind": "huggingface", "family": family(path), "parameters": size, **facts, **_stated_license(path)}


def _request(endpoint: EndpointConfig) -> JsonObject:
    """The settings that responses depend on; of keys of newer versions only values other than the default.

    They are part of the key of stored responses, which must not change when a key is added.
    """
    keys = keys_of(EndpointConfig)
    return {
        name: value
        for name, value in asdict(endpoint).items()
        if keys[name].steps and (name in _FIRST_KEYS or value != keys[name].default)
    }


def _check_exists(path: str) -> None:
    """Check that a path that is not a hub name exists and contains only files that are safe to open."""
    if not Path(path).exists() and (Path(path).is_absolute() or path.startswith(".")):
        raise UserError(f"teacher {path!r} does not exist: check teacher.path")
    check_configuration(path)
    check_model_files(path)


def is_ctranslate2(path: str) -> bool:
    """Whether a path is a CTranslate2 directory, or a package of Argos Translate, zipped or unzipped."""
    location = Path(path)
    if location.is_file():
        return location.suffix == ".argosmodel"
    return any(ctranslate2.contains_model(str(each)) for each in (location, location / "model"))


def read_pointer(directory: Path) -> TeacherReference | None:
    """Facts of the teacher that `directory` points to; None if it contains the model itself."""
    if not (directory / POINTER).exists():
        return None
    facts = read_reference(read_json(directory / POINTER))
    # Older pointers contain only the path of a model.
    defaults: TeacherReference = {"kind": "huggingface", "cache_file": str(cache_file(directory.resolve().parent))}
    if "path" in facts:
        defaults["name"] = facts["path"]
    return {**defaults, **facts}


def with_endpoint(facts: TeacherReference, endpoint: EndpointConfig) -> TeacherReference:
    """The facts with the current endpoint settings: concurrency and similar ones may change within a run."""
    return facts if "url" not in facts else {**facts, "endpoint": asdict(endpoint) | facts["request"]}


def has_local_weights(facts: TeacherReference | None) -> bool:
    """Whether a teacher has local weights, loadable in several compute types; None is a teacher trained by the run."""
    return facts is None or facts["kind"] == "huggingface"


def _is_native(path: str) -> bool:
    """Whether a model is of one of distilmt's architectures.

    Raises:
        UserError: there is no model, or it is not a sequence-to-sequence model.
    """
    return family(path) in ARCHITECTURES


def _shares_vocabulary(path: str, tokenizer: Tokenizer) -> bool:
    directory = Path(path)
    if not (directory / "vocab.json").exists():
        return False
    return load_tokenizer(directory).fingerprint == tokenizer.fingerprint


def _load(path: str) -> PreTrainedModel:
    try:
        with loading(path):
            model: PreTrainedModel = AutoModelForSeq2SeqLM.from_pretrained(
                path, use_safetensors=True, trust_remote_code=False
            )
            return model
    except UserError as error:
        raise UserError(str(error).replace("cannot be loaded:", "cannot be loaded from safetensors:")) from None


def _size(model: nn.Module) -> int:
    return parameter_count(model.requires_grad_(True))


class _License(TypedDict, total=False):
    license: str


def _stated_license(path: str) -> _License:
    """The license in a model's card; a hub model's card is downloaded, which may fail."""
    card = Path(path) / "README.md"
    license_name: object = None
    with suppress(Exception):  # no card, no network or an invalid card: the license is unknown
        license_name = ModelCard.load(card if Path(path).exists() else path, ignore_metadata_errors=True).data.get(
            "license"
        )
    if not isinstance(license_name, str):
        return {}
    if re.search(r"\bnc\b|non-?commercial", license_name.lower()):
        logger.info(f"teacher {path} is licensed {license_name}: this may forbid commercial use of the student")
    return {"license": license_name}
