"""Student and teacher before inputs that scores say nothing of, within the evaluation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.evaluation import challenge_runner, slices
from distilmt.evaluation.challenge_sets import Material
from distilmt.evaluation.script import TwoLanguages
from distilmt.teachers.remote import open_speaker
from distilmt.utils.hardware import cores
from distilmt.utils.progress import task
from distilmt.utils.run_dir import read_json, write_json

_LEARNT_FROM = 20_000
"""Sentences from which the two languages are learnt."""


def examine_models(config: RunConfig, root: Path, names: list[str], directory: Path) -> None:
    """Put challenges to some of the exports; what each said is kept in a file of its own.

    Examined are the teacher and, of student and baseline, what is shipped: the last type that is exported.

    Args:
        config: the run.
        root: its directory.
        names: all systems, the teacher first.
        directory: where `NAME.health.json` go.
    """
    if not config.evaluation.health_cases:
        return
    material = _material(config, root)
    chosen = _examined(names)
    with task("examining", len(chosen), "systems") as bar:
        for name in chosen:
            _examine(config, material, (root / "exports" / name, config.evaluation.beam_size), directory / _file(name))
            bar.advance(1)


def examine_shipped(
    config: RunConfig, teacher: tuple[Path, int], shipped: tuple[Path, int]
) -> list[challenge_runner.Verdict]:
    """What becomes of a model that was made smaller, beside the teacher.

    What each said is kept beside its export, and goes with it when the model is exported anew.

    Args:
        config: the run.
        teacher: export and beam.
        shipped: the same of the model that is shipped.
    """
    if not config.evaluation.health_cases:
        return []
    material = _material(config, Path(config.run_dir))
    files = [path.parent / _file(f"beam{beam}") for path, beam in (teacher, shipped)]
    with task("examining", 2, "systems") as bar:
        for file, system in zip(files, (teacher, shipped), strict=True):
            _examine(config, material, system, file)
            bar.advance(1)
    return challenge_runner.compare(_answers(files[1]), _answers(files[0]))


def _file(name: str) -> str:
    return f"{name}.health.json"


def _examine(config: RunConfig, material: Material, system: tuple[Path, int], file: Path) -> None:
    """Put challenges to an export, unless that was done."""
    if not file.exists():
        translator = open_speaker(system[0], threads=1, workers=cores())
        found = challenge_runner.examine(translator, material, system[1], config.seed)
        write_json(file, {challenge: asdict(answers) for challenge, answers in found.items()})


def verdicts(names: list[str], directory: Path) -> dict[str, list[challenge_runner.Verdict]]:
    """Of every system that was examined, beside the teacher."""
    found = {name: _answers(path) for name in names if (path := directory / _file(name)).exists()}
    teacher = found.pop(names[0], None)
    return {name: challenge_runner.compare(answers, teacher) for name, answers in found.items()} if teacher else {}


def _answers(file: Path) -> dict[str, challenge_runner.Answers]:
    return {challenge: challenge_runner.Answers(**answers) for challenge, answers in read_json(file).items()}


def _examined(names: list[str]) -> list[str]:
    last = [[name for name in names if name.startswith(model)][-1:] for model in ("student", "baseline")]
    return [names[0], *(name for found in last for name in found)]


def _material(config: RunConfig, root: Path) -> Material:
    test, train = prepare.load(root / "corpus", "test"), prepare.pairs(root / "corpus")
    source, target = train["source"].to_pylist(), train["target"].to_pylist()
    pair = config.corpus
    return Material(
        sources=test["source"].to_pylist(),
        references=test["target"].to_pylist(),
        known_source=slices.frequencies(source, pair.source),
        known_target=slices.frequencies(target, pair.target),
        languages=TwoLanguages(source[:_LEARNT_FROM], target[:_LEARNT_FROM]),
        target=pair.target,
        cases=config.evaluation.health_cases,
    )
