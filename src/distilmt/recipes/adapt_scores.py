"""Scores of an adapted student: before and after, on the test sentences of your text and of the old one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.systems import STUDENT
from distilmt.data import prepare
from distilmt.evaluation.quality import paired_bootstrap
from distilmt.report import adaptation
from distilmt.report.adaptation_schema import AdaptationTest, AdaptedTraining
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.sizes import total_bytes
from distilmt.utils.step_results import CorpusResult, LabelResult, ModelResult, read_result

BEFORE, AFTER = "teacher-int8", "student-int8"
"""The exports of the student as it was, which is the teacher of the run, and as it is now."""


def write_scores(config: RunConfig, student: str, texts: Sequence[str]) -> None:
    """Write `adaptation.json` and `adaptation.md` in the run directory; the exports must be finished.

    Args:
        config: the run.
        student: the name of the student in the table.
        texts: directories of the texts in the run directory, yours first.
    """
    paths, beam = config.paths, config.evaluation.beam_of(STUDENT)
    tests: list[AdaptationTest] = []
    translators = [load_translation_model(paths.export(name), threads=1, workers=cores()) for name in (AFTER, BEFORE)]
    for name in texts:
        table = prepare.load_split(paths.root / name, "test")
        sources, references = table["source"].to_pylist(), table["target"].to_pylist()
        after, before = (translator.translate(sources, beam) for translator in translators)
        comparisons = paired_bootstrap(
            (AFTER, after),
            (BEFORE, before),
            references,
            config.corpus.target,
            config.evaluation.bootstrap_samples,
            config.seed,
        )
        tests.append({"text": name, "sentences": len(sources), "comparisons": comparisons})
    adaptation.write(
        {
            "student": student,
            "pair": {"source": config.corpus.source, "target": config.corpus.target},
            "model": str(Path("exports") / AFTER),
            "bytes": total_bytes(paths.export(AFTER)),
            "beam_size": beam,
            "training": _training(config, texts),
            "tests": tests,
        },
        paths.root,
    )


def _training(config: RunConfig, texts: Sequence[str]) -> AdaptedTraining:
    paths, model = config.paths, read_result(ModelResult, config.paths.student)
    return {
        "own_sentences": read_result(CorpusResult, paths.root / texts[0]).train,
        "sentences": read_result(LabelResult, paths.labels).sentences,
        "updates": model.updates or 0,
        "best_update": model.best_update or 0,
        "seconds": model.train_seconds or 0.0,
    }
