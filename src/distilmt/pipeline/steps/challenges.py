"""Run the challenge sets on student and teacher, as part of the evaluation."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.evaluation import challenge_runner, slices
from distilmt.evaluation.challenge_sets import ChallengeData
from distilmt.evaluation.script import LanguagePairClassifier
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.progress import task
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths

logger = logging.getLogger(__name__)

_CLASSIFIER_SENTENCES = 20_000
"""Sentences on which the language classifier is trained."""


def run_model_challenges(config: RunConfig, paths: RunPaths, names: list[str], directory: Path) -> None:
    """Run the challenge sets on some exports; results are stored in one file per export.

    These are the teacher and, of student and baseline, the shipped export: the last compute type.

    Args:
        config: the run.
        paths: its paths.
        names: all systems, the teacher first.
        directory: directory for `NAME.health.json`.
    """
    if not config.evaluation.challenge_cases:
        return
    if config.student.input != "text":
        perceives = "reads pictures" if config.student.input == "image" else "hears speech"
        logger.info(f"the challenge sets are texts: they are left out, because the student {perceives}")
        return
    data = challenge_data(config, paths)
    chosen = _systems_to_challenge(names)
    with task("examining", len(chosen), "systems") as bar:
        for name in chosen:
            write_results(config, data, (paths.export(name), config.evaluation.beam_of(name)), directory / _file(name))
            bar.advance(1)


def compare_shipped_model(
    config: RunConfig, teacher: tuple[Path, int], shipped: tuple[Path, int]
) -> list[challenge_runner.ChallengeComparison]:
    """Challenge results of a compressed model, compared with the teacher.

    They are stored next to each export and replaced when the model is exported again.

    Args:
        config: the run.
        teacher: export and beam.
        shipped: export and beam size of the shipped model.
    """
    if not config.evaluation.challenge_cases:
        return []
    data = challenge_data(config, config.paths)
    files = [path.parent / _file(f"beam{beam}") for path, beam in (teacher, shipped)]
    with task("examining", 2, "systems") as bar:
        for file, system in zip(files, (teacher, shipped), strict=True):
            write_results(config, data, system, file)
            bar.advance(1)
    return challenge_runner.compare_challenges(read_results(files[1]), read_results(files[0]))


def _file(name: str) -> str:
    return f"{name}.health.json"


def write_results(config: RunConfig, data: ChallengeData, system: tuple[Path, int], file: Path) -> None:
    """Run the challenge sets on an export, unless there are results."""
    if not file.exists():
        translator = load_translation_model(system[0], threads=1, workers=cores())
        results = challenge_runner.run_challenges(translator, data, system[1], config.seed)
        write_json(file, {challenge: asdict(result) for challenge, result in results.items()})


def challenge_comparisons(names: list[str], directory: Path) -> dict[str, list[challenge_runner.ChallengeComparison]]:
    """Comparisons with the teacher, by system."""
    results = {name: read_results(path) for name in names if (path := directory / _file(name)).exists()}
    teacher = results.pop(names[0], None)
    return (
        {name: challenge_runner.compare_challenges(result, teacher) for name, result in results.items()}
        if teacher
        else {}
    )


def read_results(file: Path) -> dict[str, challenge_runner.ChallengeResult]:
    """What `write_results` has written."""
    return {challenge: challenge_runner.ChallengeResult(**values) for challenge, values in read_json(file).items()}


def _systems_to_challenge(names: list[str]) -> list[str]:
    last = [[name for name in names if name.startswith(model)][-1:] for model in ("student", "baseline")]
    return [names[0], *(name for group in last for name in group)]


def challenge_data(config: RunConfig, paths: RunPaths, split: str = "test") -> ChallengeData:
    """What the challenge sets are generated from: the sentences of a split, and the words of the training text."""
    test, train = prepare.load_split(paths.corpus, split), prepare.load_training_pairs(paths.corpus)
    source, target = train["source"].to_pylist(), train["target"].to_pylist()
    corpus = config.corpus
    return ChallengeData(
        sources=test["source"].to_pylist(),
        references=test["target"].to_pylist(),
        source_frequencies=slices.word_frequencies(source, corpus.source),
        target_frequencies=slices.word_frequencies(target, corpus.target),
        languages=LanguagePairClassifier(source[:_CLASSIFIER_SENTENCES], target[:_CLASSIFIER_SENTENCES]),
        target=corpus.target,
        cases=config.evaluation.challenge_cases,
    )
