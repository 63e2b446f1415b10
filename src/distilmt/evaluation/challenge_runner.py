"""Runs the challenge sets, and tests whether the student fails more often than its teacher."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import comb
from typing import TypedDict

from distilmt.evaluation.challenge_sets import CHALLENGES, ChallengeCase, ChallengeData
from distilmt.inference.base import TranslationModel

_EXAMPLES = 5
_SIGNIFICANT = 0.05
_BATCH = 64
BATCH_INVARIANCE = "alone or in a batch"


@dataclass
class ChallengeResult:
    """Result of one challenge set: a flag for every input, and some examples of failures."""

    failed: list[bool] = field(default_factory=list)
    examples: list[dict[str, str]] = field(default_factory=list)


class ChallengeComparison(TypedDict):
    """Student and teacher on one challenge set; `p_value` is from a one-sided sign test over the same inputs."""

    name: str
    cases: int
    student: int
    teacher: int
    p_value: float
    passed: bool
    examples: list[dict[str, str]]


def run_challenges(
    model: TranslationModel, data: ChallengeData, beam_size: int, seed: int = 1
) -> dict[str, ChallengeResult]:
    """Run all challenge sets on a model; the same data and seed give the same inputs.

    A challenge set without inputs is left out.
    """
    cases_by_challenge = {name: c.cases(data, random.Random(f"{seed} {name}")) for name, c in CHALLENGES.items()}
    cases = [(name, case) for name, results in cases_by_challenge.items() for case in results]
    lines = [line for _, case in cases for line in (case.source, *case.plain.splitlines())]
    distinct = list(dict.fromkeys(lines))
    translations = dict(zip(distinct, model.translate(distinct, beam_size, _BATCH), strict=True))
    results = {name: ChallengeResult() for name in cases_by_challenge if cases_by_challenge[name]}
    for name, case in cases:
        plain = "\n".join(translations[line] for line in case.plain.splitlines())
        failed = CHALLENGES[name].fails(case, translations[case.source], plain, data)
        _record_case(results[name], case, translations[case.source], failed)
    return results | {BATCH_INVARIANCE: _batch_invariance(model, cases_by_challenge["empty"], beam_size)}


def _batch_invariance(model: TranslationModel, cases: list[ChallengeCase], beam_size: int) -> ChallengeResult:
    """Translate the same sentences one by one and in a batch: padding must have no effect."""
    sources = [case.source for case in cases]
    batches = [model.translate(sources, beam_size, size) for size in (1, _BATCH)]
    result = ChallengeResult()
    for case, one, many in zip(cases, *batches, strict=True):
        _record_case(result, case, f"{one} | {many}", one != many)
    return result


def _record_case(result: ChallengeResult, case: ChallengeCase, text: str, failed: bool) -> None:
    result.failed.append(failed)
    if failed and len(result.examples) < _EXAMPLES:
        result.examples.append({"source": case.source, "translation": text})


def compare_challenges(
    student: dict[str, ChallengeResult], teacher: dict[str, ChallengeResult]
) -> list[ChallengeComparison]:
    """A student passes a challenge set unless it fails significantly more often than its teacher (p < 0.05).

    Sets that only one of them has, because an earlier version examined the other, are left out.
    """
    rows = []
    for name in filter(teacher.__contains__, student):
        student_result, teacher_result = student[name], teacher[name]
        p = sign_test(
            worse=sum(a and not b for a, b in zip(student_result.failed, teacher_result.failed, strict=True)),
            better=sum(b and not a for a, b in zip(student_result.failed, teacher_result.failed, strict=True)),
        )
        counts = sum(student_result.failed), sum(teacher_result.failed)
        rows.append(
            ChallengeComparison(
                name=name,
                cases=len(student_result.failed),
                student=counts[0],
                teacher=counts[1],
                p_value=p,
                passed=p >= _SIGNIFICANT,
                examples=student_result.examples,
            )
        )
    return rows


def sign_test(worse: int, better: int) -> float:
    """p-value of the exact one-sided sign test over the inputs on which two systems differ."""
    all_ = worse + better
    return float(sum(comb(all_, k) for k in range(worse, all_ + 1)) / 2**all_)
