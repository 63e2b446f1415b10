"""What is served: exported models, alone or those of a run, by pair of languages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from distilmt.inference.manifest import facts_of, is_model
from distilmt.serving.language_codes import shown
from distilmt.utils import checksums
from distilmt.utils.errors import UserError

_UNPACKED_PER_PACKED = 4  # of a packed model's bytes in memory, before anybody has unpacked it


@dataclass(frozen=True)
class Known:
    """An exported model that can be loaded."""

    name: str
    """What clients call it; unique."""
    path: Path
    source: str
    """As LibreTranslate writes it."""
    target: str
    role: str
    """`student`, `teacher`, `baseline` or whatever its card says."""
    bytes: int
    """Of its files."""
    scores: dict[str, float] = field(default_factory=dict)
    """Of its card."""
    parameters: int | None = None
    report: Path | None = None
    """The report of its run."""

    @property
    def memory(self) -> int:
        """Bytes that it takes when loaded, about."""
        packed = sum(file.stat().st_size for file in self.path.glob("*.xz"))
        return self.bytes + (_UNPACKED_PER_PACKED - 1) * packed


@dataclass
class Pair:
    """The models of a pair of languages."""

    main: Known
    """What translates."""
    teacher: Known | None = None
    """What a cascade asks."""
    models: list[Known] = field(default_factory=list)
    """All of them, `main` first."""


def pairs(arguments: list[str], system: str) -> dict[tuple[str, str], Pair]:
    """The models that arguments name, by pair; of a pair the first named translates.

    Args:
        arguments: exported models, run directories, or `en-it=DIRECTORY`.
        system: the export of a run that translates.

    Raises:
        UserError: something is neither a model nor a run with exports, or its languages are not known.
    """
    found: dict[tuple[str, str], Pair] = {}
    places: set[Path] = set()
    named = [(argument, known) for argument in arguments for known in _named(argument, system)]
    names = _unique_names([known for _, known in named])
    for (argument, known), name in zip(named, names, strict=True):
        if known.path.resolve() in places:
            raise UserError(f"{argument} is named twice: name it once")
        places.add(known.path.resolve())
        known = replace(known, name=name)
        pair = found.setdefault((known.source, known.target), Pair(known))
        pair.models.append(known)
        if known.role == "teacher" and pair.main is not known:
            pair.teacher = _better(pair.teacher, known)
    return found


def _unique_names(models: list[Known]) -> list[str]:
    """A name for each model: its own, or with as many directories above it as tell it from all others."""
    depths = [0] * len(models)
    while True:
        names = [_name_with(known, depth) for known, depth in zip(models, depths, strict=True)]
        deeper = [
            depth + (names.count(name) > 1 and depth < len(known.path.resolve().parts))
            for known, name, depth in zip(models, names, depths, strict=True)
        ]
        if deeper == depths:
            return names
        depths = deeper


def _name_with(known: Known, depth: int) -> str:
    """A model's name with `depth` of the directories above what it is named by: `a/run/student` of `run/student`."""
    if not depth:
        return known.name
    start = known.path.resolve()
    while start.name != known.name.split("/")[0] and start != start.parent:
        start = start.parent
    return "/".join([*start.parent.parts[1:][-depth:], known.name])


def _better(one: Known | None, other: Known) -> Known:
    """Of two teachers the smaller: int8 says nearly the same, faster."""
    return other if one is None or other.bytes < one.bytes else one


def _named(argument: str, system: str) -> list[Known]:
    languages, sign, rest = argument.partition("=")
    told = tuple(shown(code) for code in languages.split("-", 1)) if sign and not Path(argument).exists() else ()
    path = Path(rest if told else argument)
    if told and len(told) != 2:
        raise UserError(f"{argument}: write the languages before the = like en-it")
    if is_model(path) or (path / "distilmt.json").exists():
        return [_known(path, path.resolve().name, told)]
    if not path.is_dir():
        raise UserError(f"{path} is no directory: name that of a run (runs/demo) or of an exported model")
    return _of_run(path, system)


def _of_run(run: Path, system: str) -> list[Known]:
    """Exports of a run; what translates comes first."""
    places = sorted(place for place in run.glob("exports/*") if is_model(place))
    if is_model(run / "compressed" / "model"):
        places.append(run / "compressed" / "model")
    named = {_export_name(place): place for place in places}
    if system not in named:
        if (run / "exports" / system / "distilmt.json").exists():
            facts_of(run / "exports" / system)
        hint = f"it has {', '.join(named)}: name one with --system" if named else "finish the run first"
        raise UserError(f"{run} has no exported {system!r}: {hint}")
    first = named.pop(system)
    languages = _languages(run)
    report = run / "report.html"
    return [
        _known(place, f"{run.resolve().name}/{_export_name(place)}", languages, report if report.exists() else None)
        for place in (first, *named.values())
    ]


def _export_name(place: Path) -> str:
    return "compressed" if place.parent.name == "compressed" else place.name


def _languages(run: Path) -> tuple[str, ...]:
    try:
        corpus = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["corpus"]
        return shown(corpus["source"]), shown(corpus["target"])
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return ()


def _known(path: Path, name: str, languages: tuple[str, ...], report: Path | None = None) -> Known:
    checksums.check(path)
    facts_of(path)
    card = checksums.json_object(path / checksums.CARD) if (path / checksums.CARD).exists() else {}
    if not languages and card.get("source") and card.get("target"):
        languages = (shown(card["source"]), shown(card["target"]))
    if not languages:
        raise UserError(f"{path} does not say which languages it translates: write it like en-it={path}")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    with checksums.readable(path, checksums.CARD):
        scores = {str(k): float(v) for k, v in card.get("scores", {}).items()}
    role = card.get("role") or name.split("/")[-1].split("-")[0]
    source, target = languages
    return Known(name, path, source, target, role, size, scores, card.get("parameters"), report)
