"""`distilmt demo --task classify`: distillation of classifiers on real text, in a few minutes.

Teachers and students with 1,024 features classify descriptions of Debian packages into ten sections; each student is
trained with and without its teacher. A second call fits everything again: it takes minutes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from distilmt import __version__
from distilmt.config.commands import DemoConfig
from distilmt.data.readers import apt, debian, debian_sections
from distilmt.data.readers.debian_sections import LabeledText
from distilmt.report import classification
from distilmt.report.classification_schema import ClassificationFacts, StudyRecord
from distilmt.utils import progress
from distilmt.utils.dates import date_for_reports
from distilmt.utils.errors import UserError
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import locked

logger = logging.getLogger(__name__)

STUDENT = "student"
_DEPLOYED = "network 64"


def run(config: DemoConfig) -> Path:
    """Run the demo; returns its directory, with a report and the student.

    Raises:
        UserError: scikit-learn or apt is missing, or a setting does not apply here.
    """
    given = [name for name in ("train", "valid", "test", "dataset", "teacher") if getattr(config, name)]
    if given:
        raise UserError(
            f"--{given[0]} does not apply to --task classify, which uses Debian's package descriptions: leave it out"
        )
    root = Path(config.run_dir or "runs/demo-classify")
    with locked(root):
        train, test = debian_sections.split_by_source(_examples(), config.seed)
        rows = _rows(train, test, config.seed)
        classification.write({**_facts(config, train, test), "rows": rows}, root)
        _save_student(train, config.seed, root / STUDENT)
    return root


def _examples() -> list[LabeledText]:
    indices = apt.fetch(["en"], apt.default_cache())
    return debian_sections.examples(debian.descriptions(indices))


def _rows(train: Sequence[LabeledText], test: Sequence[LabeledText], seed: int) -> list[StudyRecord]:
    """Results of `classification.study`, as rows."""
    from distilmt.classification import study

    taught = len(study.students(seed))
    rows: list[StudyRecord] = []
    with progress.task("fit teachers and students", len(study.teachers(seed)) * (1 + taught), "models") as task:
        for row in study.study(train, test, seed):
            rows.append(cast(StudyRecord, asdict(row)))
            task.advance(1, model=row.student, accuracy=round(row.scores.accuracy.value, 3))
    return rows


def _facts(config: DemoConfig, train: Sequence[LabeledText], test: Sequence[LabeledText]) -> ClassificationFacts:
    return {
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "language": config.report_language,
        "machine": machine(),
        "seed": config.seed,
        "texts": {"train": len(train), "test": len(test)},
        "sections": dict(Counter(example.label for example in (*train, *test)).most_common()),
        "deployed": _DEPLOYED,
    }


def _save_student(train: Sequence[LabeledText], seed: int, directory: Path) -> None:
    """The small network trained on the stronger teacher; `distilmt.classification.load` opens it."""
    from sklearn.pipeline import make_pipeline

    from distilmt.classification import Distilled, study

    student = next(student for student in study.students(seed) if student.name == _DEPLOYED)
    teacher = study.teachers(seed)["word pairs"]
    whole = make_pipeline(study.hashed(), student.distilled)
    distilled = Distilled(teacher, whole, alpha=student.alpha, cv=study.FOLDS, random_state=seed)
    distilled.fit([example.text for example in train], [example.label for example in train]).save(directory)
    logger.info(f"{directory}: the {_DEPLOYED} trained on the word-pair teacher, for distilmt.classification.load")
