"""The languages that the files of a teacher state: of many models, nothing else shows that a pair is not theirs."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from distilmt.config.renamed import is_run_file
from distilmt.config.yaml_file import read_yaml
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.languages import is_language, same_language
from distilmt.utils.unpacking import ZIP_ERRORS

logger = logging.getLogger(__name__)

# File and keys of the source and the target language: distilmt's exports, packages of Argos Translate, Marian models.
_FILES = (
    ("card.json", "source", "target"),
    ("metadata.json", "from_code", "to_code"),
    ("tokenizer_config.json", "source_lang", "target_lang"),
)
_CARD = "README.md"
_MAX_BYTES = 1 << 20
_TRAINED_BY_A_RUN = ("teacher", "student", "baseline")


@dataclass(frozen=True)
class StatedLanguages:
    """Languages of a model; empty ones are not stated."""

    source: str
    target: str
    file: str
    """The file that states them."""

    def fits(self, source: str, target: str) -> bool:
        """Whether they do not contradict a pair: a group of languages (`ROMANCE`, `roa`) contradicts none."""
        pairs = ((self.source, source), (self.target, target))
        return all(not is_language(stated) or same_language(stated, language) for stated, language in pairs)

    def __str__(self) -> str:
        sides = (("from", self.source), ("to", self.target))
        return " ".join(f"{word} {language}" for word, language in sides if language)


def check_languages(path: str, source: str, target: str) -> None:
    """Check that no file of a teacher states another language pair.

    A card (`README.md`) lists languages without their direction, and often not all: it only gives a warning.

    Args:
        path: a model directory, a package of Argos Translate, or a name on the hub, whose files are in the cache.
        source: source language of the run.
        target: target language of the run.

    Raises:
        UserError: a file does.
    """
    stated = stated_languages(path)
    if stated and not stated.fits(source, target):
        raise UserError(
            f"teacher {path!r} translates {stated} ({stated.file}), but the language pair is {source}-{target}: choose "
            "the teacher's pair, or another teacher; if the file is wrong, correct it"
        )
    if not stated:
        _check_card(path, source, target)


def _check_card(path: str, source: str, target: str) -> None:
    listed = _listed_languages(path)
    missing = [code for code in (source, target) if not any(same_language(code, each) for each in listed)]
    if missing and listed and all(map(is_language, listed)):
        logger.warning(
            f"teacher {path}: its card ({_CARD}) lists {', '.join(listed[:20])}, but not {' and '.join(missing)}: "
            f"check that it translates from {source} to {target}"
        )


def stated_languages(path: str) -> StatedLanguages | None:
    """The languages that a teacher's files state; None if they state none."""
    location = Path(path)
    if location == pretrained.TEACHER:
        source, _, target = pretrained.PAIR.partition("-")
        return StatedLanguages(source, target, _CARD)
    for name, *keys in _FILES:
        content = _json_object(_content(path, name))
        source, target = (str(content.get(key) or "") for key in keys)
        if source or target:
            return StatedLanguages(source, target, name)
    return _of_its_run(location)


def _of_its_run(location: Path) -> StatedLanguages | None:
    """The languages of the run that trained a model."""
    file = location.parent / "config.yaml"
    if location.name not in _TRAINED_BY_A_RUN or not file.exists() or not is_run_file(file):
        return None
    with suppress(UserError):
        corpus = read_yaml(file).get("corpus")
        if isinstance(corpus, dict) and corpus.get("source") and corpus.get("target"):
            return StatedLanguages(str(corpus["source"]), str(corpus["target"]), str(file))
    return None


def _listed_languages(path: str) -> list[str]:
    """Languages in the metadata of a model's card, in any order; empty without a card or metadata."""
    parts = _content(path, _CARD).decode(errors="replace").split("---\n", 2)
    if len(parts) < 3 or parts[0]:
        return []
    with suppress(yaml.YAMLError, RecursionError, ValueError):
        metadata = yaml.safe_load(parts[1])
        languages = metadata.get("language") if isinstance(metadata, dict) else None
        codes = [languages] if isinstance(languages, str) else languages
        return [code for code in codes if isinstance(code, str)] if isinstance(codes, list) else []
    return []


def _content(path: str, name: str) -> bytes:
    """A small file of a model; empty if there is none."""
    location = Path(path)
    with suppress(OSError, StopIteration, *ZIP_ERRORS):
        if location.is_file():
            with zipfile.ZipFile(location) as package:
                member = next(each for each in package.namelist() if each.count("/") == 1 and each.endswith(f"/{name}"))
                with package.open(member) as file:
                    return file.read(_MAX_BYTES)
        if location.is_dir():
            with (location / name).open("rb") as file:
                return file.read(_MAX_BYTES)
        if (cached := _cached(path, name)) is not None:
            return cached.read_bytes()
    return b""


def _cached(name: str, file: str) -> Path | None:
    """The file of a model on the hub as it was downloaded; None if it was not."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    with suppress(HFValidationError):
        if isinstance(cached := try_to_load_from_cache(name, file), str):
            return Path(cached)
    return None


def _json_object(content: bytes) -> Mapping[str, object]:
    with suppress(ValueError, RecursionError):
        value = json.loads(content)
        if isinstance(value, dict):
            return value
    return {}
