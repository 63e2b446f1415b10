"""External teachers as export directories that `teachers.remote.load_translation_model` opens."""

from __future__ import annotations

import logging
import re
import shutil
import zipfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import ctranslate2
from transformers import AutoConfig

from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.export.formats import export_for_translation
from distilmt.export.huggingface_teacher import (
    UnsupportedConversion,
    export_huggingface_teacher,
    languages,
    positions,
    prefix_of,
)
from distilmt.export.sentencepiece_files import sentencepiece_files, subword_nmt_file
from distilmt.inference.manifest import MANIFEST, ExportManifest, has_manifest, load_manifest, write_manifest
from distilmt.inference.moses_bpe import CODES, MosesBpeTokenizer
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.inference.tokenization import load_auto_tokenizer
from distilmt.models import int8_weights
from distilmt.models.checkpoint import load_model
from distilmt.utils.checksums import wrap_read_errors
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory, read_json
from distilmt.utils.unpacking import unzip

logger = logging.getLogger(__name__)

_VOCABULARIES = ("shared_vocabulary", "source_vocabulary", "target_vocabulary")
_ARGOS_POSITIONS = 1024  # CTranslate2's maximum


def export_foreign(facts: TeacherReference, directory: Path, compute_type: str, source: str, target: str) -> None:
    """Write an export directory of a teacher atomically.

    Args:
        facts: content of the run's `teacher.json`.
        directory: the export directory.
        compute_type: CTranslate2 type, if the teacher is a model.
        source: source language code.
        target: target language code.

    Raises:
        UserError: the teacher cannot be used, or does not support a language.
    """
    kind, prefix = facts["kind"], facts.get("prefix")
    if kind == "ctranslate2":
        return copy_ctranslate2(facts, directory, compute_type, source, target)
    outside: TeacherReference = {**facts, "source": source, "target": target}
    if kind == "huggingface" and int8_weights.is_only_form(Path(facts["path"])):
        # transformers cannot read these weights; only distilmt's own architectures are stored in them.
        model, tokenizer = load_model(facts["path"]), load_tokenizer(Path(facts["path"]))
        return export_for_translation(model, tokenizer, directory, compute_type)
    if kind == "huggingface":
        try:
            return export_huggingface_teacher(facts["path"], directory, compute_type, source, target, prefix)
        except UnsupportedConversion as reason:
            logger.info(f"{reason}: using transformers' own `generate`, which is slower")
            outside = {**outside, **_for_transformers(facts, source, target)}
    with atomic_directory(directory) as temporary:
        write_manifest(temporary, {"format": 1, "outside": dict(outside)})


def check_packages(path: Path) -> None:
    """Check that the Python packages for a CTranslate2 directory or an `.argosmodel` are installed.

    Raises:
        ModuleNotFoundError: a package is missing.
    """
    names = [file.name for folder in (path, path / "model") for file in folder.glob("*")]
    if path.is_file():
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as package:
            names = [PurePosixPath(name).name for name in package.namelist()]
    if "bpe.model" in names and not {"sentencepiece.model", "tokenizer.json", MANIFEST} & set(names):
        for name in ("sacremoses", "subword_nmt"):
            import_module(name)


def _for_transformers(facts: TeacherReference, source: str, target: str) -> TeacherReference:
    tokenizer = load_auto_tokenizer(facts["path"])
    prefix = prefix_of(facts["path"], tokenizer, source, target, facts.get("prefix"))
    config = AutoConfig.from_pretrained(facts["path"], trust_remote_code=False)
    reference: TeacherReference = {
        "kind": "transformers",
        "max_positions": positions(tokenizer, config),
        "prefix": prefix,
    }
    return {**reference, **languages(tokenizer, source, target, facts["path"])}


def copy_ctranslate2(facts: TeacherReference, directory: Path, compute_type: str, source: str, target: str) -> None:
    """Copy a CTranslate2 directory, or the content of an `.argosmodel`, with its tokenizer.

    Supported are exports of distilmt; directories with SentencePiece models (`source.spm` and `target.spm`, or one);
    directories with Hugging Face tokenizers; and packages of Argos Translate.
    """
    with atomic_directory(directory) as temporary:
        place = _unzipped(Path(facts["path"]), temporary / ".package")
        model = place / "model" if (place / "model" / "model.bin").exists() else place
        if has_manifest(model):
            shutil.copytree(model, temporary, dirs_exist_ok=True)
            manifest = load_manifest(model)
        else:
            for file in model.iterdir():
                if file.name in ("model.bin", "config.json") or file.stem in _VOCABULARIES:
                    shutil.copyfile(file, temporary / file.name)
            manifest = _pieces(place, model, temporary, source, target)
            manifest["max_positions"] = min(manifest["max_positions"], _positions(temporary, str(place)))
        shutil.rmtree(temporary / ".package", ignore_errors=True)
        write_manifest(temporary, {**manifest, "compute_in": compute_type, "prefix": facts.get("prefix") or ""})


def _pieces(place: Path, model: Path, directory: Path, source: str, target: str) -> ExportManifest:
    """Copy the tokenizer of a model; returns the content of distilmt.json."""
    manifest: ExportManifest = {"format": 1, "max_positions": _ARGOS_POSITIONS}
    # If true, CTranslate2 adds </s> (ct2-opus-mt-converter writes this option, ct2-transformers-converter does not).
    adds_end = bool(_config(model).get("add_source_eos", False))
    if any((model / name).exists() for name in ("tokenizer.json", "tokenizer_config.json")):
        tokenizer = load_auto_tokenizer(model)
        tokenizer.save_pretrained(directory / "tokenizer")
        manifest |= {"tokenizer": "huggingface", "max_positions": positions(tokenizer)}
        if adds_end:
            manifest["source_end"] = False
        return {**manifest, **languages(tokenizer, source, target, str(place))}
    package = read_json(place / "metadata.json") if (place / "metadata.json").exists() else {}
    prefix = package.get("target_prefix")
    if prefix:
        manifest["target_prefix"] = prefix
    files = sentencepiece_files(model, source, target) or sentencepiece_files(place, source, target)
    if files is None:
        languages_of_rules = package.get("from_code", source), package.get("to_code", target)
        return {**manifest, **_merges(place, model, directory, *languages_of_rules)}
    shutil.copyfile(files[0], directory / "source.spm")
    if files[1] != files[0]:
        shutil.copyfile(files[1], directory / "target.spm")
    # Marian's models expect </s> at the end of a source; OpenNMT's models for Argos do not.
    marian = files[0].name == "source.spm"
    return {**manifest, "source_end": marian and not adds_end}


def _merges(place: Path, model: Path, directory: Path, source: str, target: str) -> ExportManifest:
    """Copy the BPE merges of a package without SentencePiece; returns the content of distilmt.json."""
    codes = subword_nmt_file(model) or subword_nmt_file(place)
    if codes is None:
        raise UserError(
            f"teacher {str(place)!r} has no tokenizer in the directory of model.bin: add its source.spm and "
            "target.spm, sentencepiece.model, bpe.model or tokenizer.json"
        )
    shutil.copyfile(codes, directory / CODES)
    manifest: ExportManifest = {
        "tokenizer": "subword-nmt",
        "source_end": False,
        "source_language": source,
        "target_language": target,
    }
    with wrap_read_errors(place, codes.name):
        MosesBpeTokenizer(directory, manifest)
    return manifest


def _positions(model: Path, name: str) -> int:
    """Maximum number of source tokens, up to 1,024: it is in no file, but in CTranslate2's error for longer inputs."""
    translator = ctranslate2.Translator(str(model), device="cpu", inter_threads=1)
    try:
        translator.translate_batch([["</s>"] * _ARGOS_POSITIONS], beam_size=1, max_decoding_length=1)
        return _ARGOS_POSITIONS
    except RuntimeError as error:
        limit = re.search(r"positions >= (\d+)", str(error))
        if limit is None:
            raise UserError(f"teacher {name!r} cannot translate ({error}): convert it again") from None
        return int(limit[1])


def _config(model: Path) -> dict[str, Any]:
    """CTranslate2's own configuration of a model; older models have none.

    Raises:
        UserError: it is damaged.
    """
    file = model / "config.json"
    try:
        content = read_json(file) if file.exists() else {}
        if isinstance(content, dict):
            return content
    except (ValueError, RecursionError):
        pass
    raise UserError(f"{file} is not a JSON object: convert or download the model again")


def _unzipped(path: Path, place: Path) -> Path:
    """The directory of a package, which is a zip that contains one directory."""
    if path.is_dir():
        return path
    unzip(path, place)
    if inner := next((p for p in place.iterdir() if p.is_dir()), None):
        return inner
    raise UserError(f"{path} is not a package of Argos Translate (no directory inside): copy or download it again")
