"""Builds a report from the measurements."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from distilmt import __version__
from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.evaluation.output_checks import OutputChecks
from distilmt.evaluation.quality import Comparison, TranslationScores, paired_bootstrap, sentence_chrf
from distilmt.evaluation.score_slices import SliceScore
from distilmt.evaluation.speed import Speed
from distilmt.report.schema import (
    Cost,
    CurvePoint,
    Facts,
    LanguagePair,
    PictureFacts,
    RunReport,
    SpeechFacts,
    Step,
    System,
    Test,
    TranslationExample,
)
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import read_step

Value = TypeVar("Value")

_PAIRS = (
    ("student-int8", "teacher"),
    ("student-int8", "teacher-int8"),
    ("student-int8", "student"),
    ("student-int8", "baseline-int8"),
    ("student", "teacher"),
    ("student", "baseline"),
    ("teacher-int8", "teacher"),
)


def system(
    name: str,
    file_bytes: int | None,
    beam_size: int,
    scores: TranslationScores | None = None,
    speed: Speed | None = None,
    health: OutputChecks | None = None,
    parameters: int | None = None,
) -> System:
    """One row of the table of systems; None values were not measured and are left out."""
    row = System(name=name, parameters=parameters, file_bytes=file_bytes, beam_size=beam_size)
    if scores is not None:
        row["bleu"], row["chrf"], row["ter"] = scores.bleu, scores.chrf, scores.ter
    if speed is not None:
        row["sentences_per_second"] = speed.sentences_per_second
        row["tokens_per_second"] = speed.tokens_per_second
        row["latency_ms"] = speed.latency_ms
        row["load_seconds"] = speed.load_seconds
        row["timed_sentences"] = speed.sentences
        row["peak_rss_bytes"] = speed.peak_rss_bytes
    if health is not None:
        row["health"] = asdict(health)
    return row


def other_system(name: str, scores: TranslationScores, health: OutputChecks) -> System:
    """The row of a system of which only the translations are known."""
    row = System(name=name, parameters=None, file_bytes=None, health=asdict(health))
    row["bleu"], row["chrf"], row["ter"] = scores.bleu, scores.chrf, scores.ter
    return row


def about_test(sentences: int, scores: TranslationScores) -> Test:
    """Facts of the test set; `scores` may be of any system."""
    return Test(
        sentences=sentences,
        bleu_signature=scores.bleu_signature,
        chrf_signature=scores.chrf_signature,
        ter_signature=scores.ter_signature,
    )


def comparisons(
    translations: Mapping[str, Sequence[str]],
    references: Sequence[str],
    target: str,
    samples: int = 1000,
    seed: int = 1,
    others: Sequence[str] = (),
) -> list[Comparison]:
    """Compare the available systems: student with teacher and baseline, int8 with float32, the student with others."""
    pairs = [(a, b) for a, b in _PAIRS if a in translations and b in translations]
    student, _teacher = student_and_teacher(translations)
    pairs += [(student, other) for other in others if student]
    return [
        row
        for a, b in pairs
        for row in paired_bootstrap((a, translations[a]), (b, translations[b]), references, target, samples, seed)
    ]


def steps(directories: Sequence[Path]) -> list[Step]:
    """Cost of each finished step, in the given order; unfinished steps are left out."""
    records = [record for directory in directories if (record := read_step(directory)) is not None]
    return [Step(name=r.name, seconds=r.seconds, peak_rss_bytes=r.peak_rss_bytes) for r in records]


def select_examples(
    sources: Sequence[str],
    references: Sequence[str],
    translations: Mapping[str, Sequence[str]],
    count: int = 20,
    seed: int = 1,
    between: tuple[str, str] | None = None,
) -> list[TranslationExample]:
    """Select test sentences to show: half at random, half with the biggest difference in chrF of two systems.

    Args:
        sources: test sentences.
        references: their reference translations.
        translations: system to translations.
        count: maximum number of sentences.
        seed: seed of the random half.
        between: the two systems; by default the deployed student and the teacher.

    Returns:
        The random half first, each half in the order of the test set.
    """
    distinct = list(dict(zip(reversed(sources), reversed(range(len(sources))), strict=True)).values())[::-1]
    scores = {name: sentence_chrf(texts, references) for name, texts in translations.items() if texts}
    student, teacher = between or student_and_teacher(translations)
    half = count // 2 if student in scores and teacher in scores else 0
    random_indices = random.Random(seed).sample(distinct, min(count - half, len(distinct)))
    other_indices = [i for i in distinct if i not in set(random_indices)]
    gaps = {i: abs(scores[student][i] - scores[teacher][i]) for i in other_indices} if half else {}
    furthest = sorted(gaps, key=lambda i: (-gaps[i], i))[:half]
    return [
        TranslationExample(
            source=sources[i],
            reference=references[i],
            translations={name: texts[i] for name, texts in translations.items()},
            chosen=chosen,
            chrf={name: round(values[i], 2) for name, values in scores.items()},
        )
        for chosen, indices in (("random", random_indices), ("differs", furthest))
        for i in sorted(indices)
    ]


def student_and_teacher(translations: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """The deployed student, or an empty name without one, and the teacher."""
    students = [name for name in ("student-int8", "student") if name in translations]
    return (students or [""])[0], "teacher" if "teacher" in translations else "teacher-int8"


@dataclass(frozen=True)
class RunMeasurements:
    """Everything that a run's report shows, apart from version, machine and date."""

    signature: str
    pair: LanguagePair
    test: Test
    systems: Sequence[System]
    comparisons: Sequence[Comparison] = ()
    slices: Sequence[SliceScore] = ()
    steps: Sequence[Step] = ()
    cost: Sequence[Cost] = ()
    curves: Mapping[str, list[CurvePoint]] = field(default_factory=dict)
    examples: Sequence[TranslationExample] = ()
    corpus: Facts = field(default_factory=dict)
    labels: Facts = field(default_factory=dict)
    challenge_sets: Mapping[str, Sequence[ChallengeComparison]] = field(default_factory=dict)
    pictures: PictureFacts | None = None
    speech: SpeechFacts | None = None
    config: Facts = field(default_factory=dict)


def build(measurements: RunMeasurements) -> RunReport:
    """The whole report, with this machine, version and the current time; NaN and infinities become null."""
    report = RunReport(
        signature=measurements.signature,
        pair=measurements.pair,
        test=measurements.test,
        systems=list(measurements.systems),
        comparisons=list(measurements.comparisons),
        slices=list(measurements.slices),
        steps=list(measurements.steps),
        cost=list(measurements.cost),
        curves=dict(measurements.curves),
        examples=list(measurements.examples),
        corpus=measurements.corpus,
        labels=measurements.labels,
        challenge_sets={name: list(rows) for name, rows in measurements.challenge_sets.items()},
        pictures=measurements.pictures,
        speech=measurements.speech,
        machine=machine(),
        config=measurements.config,
        distilmt_version=__version__,
        date=date_for_reports(),
    )
    strict: RunReport = to_strict_json(report)
    return strict


def to_strict_json(value: Value) -> Value:
    """The same value as strict JSON: null for NaN and infinities, U+FFFD for lone surrogates, lists for tuples."""
    return cast(Value, _strict(value))


def _strict(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_strict(str(key)): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return _strict(str(value))
