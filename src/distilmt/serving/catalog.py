"""Catalog of the served models by what they read and by language pair: single exported models, or those of a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import yaml

from distilmt.inference.hub import hub_name, model_directory
from distilmt.inference.manifest import (
    DEFAULT_SYSTEM,
    export_hint,
    has_manifest,
    input_of,
    is_model,
    read_manifest,
)
from distilmt.serving.language_codes import normalize_code
from distilmt.utils import checksums
from distilmt.utils.errors import UserError
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.sizes import total_bytes

_UNPACKED_PER_PACKED = 4  # estimated ratio of memory to file size of a packed model


@dataclass(frozen=True)
class ModelInfo:
    """An exported model that can be loaded."""

    name: str
    """Unique name in the API."""
    path: Path
    source: str
    """Code in LibreTranslate's form."""
    target: str
    """Code in LibreTranslate's form."""
    role: str
    """`student`, `teacher`, `baseline` or another role in its card."""
    bytes: int
    """Size of its files."""
    scores: dict[str, float] = field(default_factory=dict)
    """Scores in its card."""
    parameters: int | None = None
    report: Path | None = None
    """The report of its run."""
    input: str = "text"
    """What it reads: `text`, `image` or `speech`."""

    @property
    def memory(self) -> int:
        """Approximate bytes in memory when loaded."""
        packed = total_bytes(self.path, "*.xz")
        return self.bytes + (_UNPACKED_PER_PACKED - 1) * packed


@dataclass
class PairModels:
    """The models of a language pair."""

    main: ModelInfo
    """The model that translates requests."""
    teacher: ModelInfo | None = None
    """The second model of a cascade."""
    models: list[ModelInfo] = field(default_factory=list)
    """All of them, `main` first."""


ModelsByPair: TypeAlias = dict[tuple[str, str], PairModels]


@dataclass
class ServedModels:
    """All models of a server, by source and target language."""

    text: ModelsByPair = field(default_factory=dict)
    """Models that read text."""
    pictures: ModelsByPair = field(default_factory=dict)
    """Models that read pictures."""
    speech: ModelsByPair = field(default_factory=dict)
    """Models that read speech."""

    @property
    def all_pairs(self) -> list[PairModels]:
        """The models of every pair, those of text first."""
        return [*self.text.values(), *self.pictures.values(), *self.speech.values()]

    def by_input(self, reads: str) -> ModelsByPair:
        """The models that read `text`, `image` or `speech`."""
        return {"text": self.text, "image": self.pictures, "speech": self.speech}[reads]


def served_models(arguments: list[str], system: str) -> ServedModels:
    """The models of the command line's arguments; the first of a pair is its main model.

    Args:
        arguments: exported models, run directories, models of the hub (`hf:OWNER/NAME`), or `en-it=MODEL`.
        system: the name of a run's main export.

    Raises:
        UserError: an argument is neither a model nor a run with exports, or its languages are unknown.
    """
    served = ServedModels()
    paths: set[Path] = set()
    models = [(argument, model) for argument in arguments for model in _models_of_argument(argument, system)]
    if system != DEFAULT_SYSTEM and not any(model.name.split("/")[-1] == system for _, model in models):
        raise UserError(f"{', '.join(arguments)}: no run with an export {system!r} is among them: leave --system out")
    names = _unique_names([model for _, model in models])
    for (argument, model), name in zip(models, names, strict=True):
        if model.path.resolve() in paths:
            raise UserError(f"{argument} is named twice: name it once")
        paths.add(model.path.resolve())
        model = replace(model, name=name)
        pair = served.by_input(model.input).setdefault((model.source, model.target), PairModels(model))
        pair.models.append(model)
        if model.role == "teacher" and pair.main is not model:
            pair.teacher = _smaller(pair.teacher, model)
    return served


def _unique_names(models: list[ModelInfo]) -> list[str]:
    """A unique name for each model: its own, preceded by as many parent directories as necessary."""
    depths = [0] * len(models)
    while True:
        names = [_name_with(model, depth) for model, depth in zip(models, depths, strict=True)]
        deeper = [
            depth + (names.count(name) > 1 and depth < len(model.path.resolve().parts))
            for model, name, depth in zip(models, names, depths, strict=True)
        ]
        if deeper == depths:
            return names
        depths = deeper


def _name_with(model: ModelInfo, depth: int) -> str:
    """A model's name preceded by `depth` parent directories: `a/run/student` for `run/student`."""
    if not depth:
        return model.name
    start = model.path.resolve()
    while start.name != model.name.split("/")[0] and start != start.parent:
        start = start.parent
    return "/".join([*start.parent.parts[1:][-depth:], model.name])


def _smaller(one: ModelInfo | None, other: ModelInfo) -> ModelInfo:
    """The smaller of two teachers: int8 is faster, with nearly the same translations."""
    return other if one is None or other.bytes < one.bytes else one


def _models_of_argument(argument: str, system: str) -> list[ModelInfo]:
    languages, sign, directory = argument.partition("=")
    codes = (
        tuple(normalize_code(code) for code in languages.split("-", 1)) if sign and not Path(argument).exists() else ()
    )
    if codes and len(codes) != 2:
        raise UserError(f"{argument}: write the languages before the = like en-it")
    model = directory if codes else argument
    path = model_directory(model)
    if is_model(path) or has_manifest(path):
        return [_model_info(path, hub_name(model) or path.resolve().name, codes, shown=model)]
    if not path.is_dir():
        raise UserError(f"{path} is not a directory: give a run directory (runs/demo) or an exported model")
    return _models_of_run(path, system)


def _models_of_run(run: Path, system: str) -> list[ModelInfo]:
    """Exports of a run; the main one comes first.

    Exports that read something else, such as the teacher of a student that reads pictures, are left out.
    """
    paths = RunPaths(run)
    directories = sorted(directory for directory in paths.exports.glob("*") if is_model(directory))
    if is_model(paths.compressed_model):
        directories.append(paths.compressed_model)
    by_name = {_export_name(directory): directory for directory in directories}
    if system not in by_name:
        if has_manifest(run / "exports" / system):
            read_manifest(run / "exports" / system)
        hint = f"it has {', '.join(by_name)}: choose one with --system" if by_name else export_hint(run)
        raise UserError(f"{run} has no exported {system!r}: {hint}")
    first = by_name.pop(system)
    languages = _languages(run)
    report = run / "report.html"
    return [
        _model_info(
            directory, f"{run.resolve().name}/{_export_name(directory)}", languages, report if report.exists() else None
        )
        for directory in (first, *by_name.values())
        if input_of(directory) == input_of(first)
    ]


def _export_name(directory: Path) -> str:
    return "compressed" if directory.parent.name == "compressed" else directory.name


def _languages(run: Path) -> tuple[str, ...]:
    try:
        corpus = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["corpus"]
        return normalize_code(corpus["source"]), normalize_code(corpus["target"])
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return ()


def _model_info(
    path: Path, name: str, languages: tuple[str, ...], report: Path | None = None, shown: str = ""
) -> ModelInfo:
    """A model that can be served; `shown` is its name in messages, by default its path."""
    checksums.check_checksums(path)
    reads = read_manifest(path).get("input", "text")
    if reads not in ("text", "image", "speech"):
        raise UserError(
            f"{path} reads {reads}, and this version serves models of text, pictures and speech: update distilmt"
        )
    card = checksums.read_json_object(path / checksums.CARD) if (path / checksums.CARD).exists() else {}
    if not languages and card.get("source") and card.get("target"):
        languages = (normalize_code(card["source"]), normalize_code(card["target"]))
    if not languages:
        raise UserError(f"the languages of {shown or path} are unknown: write it like en-it={shown or path}")
    size = total_bytes(path)
    with checksums.wrap_read_errors(path, checksums.CARD):
        scores = {str(k): float(v) for k, v in card.get("scores", {}).items()}
    role = card.get("role") or name.split("/")[-1].split("-")[0]
    source, target = languages
    return ModelInfo(name, path, source, target, role, size, scores, card.get("parameters"), report, reads)
