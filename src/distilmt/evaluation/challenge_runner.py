"""Puts the challenges to models, and tells whether the student fails where its teacher does not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import comb
from typing import TypedDict

from distilmt.evaluation.challenge_sets import CHALLENGES, Case, Material
from distilmt.inference.base import Speaker

_EXAMPLES = 5
_SIGNIFICANT = 0.05
_BATCH = 64
ALONE = "alone or in a batch"


@dataclass
class Answers:
    """How a model did in one challenge: a flag for every input, and some failures."""

    failed: list[bool] = field(default_factory=list)
    examples: list[dict[str, str]] = field(default_factory=list)


class Verdict(TypedDict):
    """Student and teacher in one challenge; `p_value` is that of a one-sided sign test over the same inputs."""

    name: str
    cases: int
    student: int
    teacher: int
    p_value: float
    passed: bool
    examples: list[dict[str, str]]


def examine(speaker: Speaker, material: Material, beam_size: int, seed: int = 1) -> dict[str, Answers]:
    """Put all challenges to a model; the same ones for the same material and seed.

    A challenge for which the material has no inputs is left out.
    """
    asked = {name: c.cases(material, random.Random(f"{seed} {name}")) for name, c in CHALLENGES.items()}
    cases = [(name, case) for name, found in asked.items() for case in found]
    lines = [line for _, case in cases for line in (case.source, *case.plain.splitlines())]
    distinct = list(dict.fromkeys(lines))
    said = dict(zip(distinct, speaker.translate(distinct, beam_size, _BATCH), strict=True))
    found = {name: Answers() for name in asked if asked[name]}
    for name, case in cases:
        plain = "\n".join(said[line] for line in case.plain.splitlines())
        failed = CHALLENGES[name].fails(case, said[case.source], plain, material)
        _note(found[name], case, said[case.source], failed)
    return found | {ALONE: _alone(speaker, asked["empty"], beam_size)}


def _alone(speaker: Speaker, cases: list[Case], beam_size: int) -> Answers:
    """The same sentences one by one and in a batch: padding must not show."""
    sources = [case.source for case in cases]
    batches = [speaker.translate(sources, beam_size, size) for size in (1, _BATCH)]
    answers = Answers()
    for case, one, many in zip(cases, *batches, strict=True):
        _note(answers, case, f"{one} | {many}", one != many)
    return answers


def _note(answers: Answers, case: Case, text: str, failed: bool) -> None:
    answers.failed.append(failed)
    if failed and len(answers.examples) < _EXAMPLES:
        answers.examples.append({"source": case.source, "translation": text})


def compare(student: dict[str, Answers], teacher: dict[str, Answers]) -> list[Verdict]:
    """A student passes a challenge unless it fails more often than its teacher, and hardly by chance (p < 0.05)."""
    rows = []
    for name, mine in student.items():
        theirs = teacher[name]
        p = sign_test(
            worse=sum(a and not b for a, b in zip(mine.failed, theirs.failed, strict=True)),
            better=sum(b and not a for a, b in zip(mine.failed, theirs.failed, strict=True)),
        )
        counts = sum(mine.failed), sum(theirs.failed)
        rows.append(
            Verdict(
                name=name,
                cases=len(mine.failed),
                student=counts[0],
                teacher=counts[1],
                p_value=p,
                passed=p >= _SIGNIFICANT,
                examples=mine.examples,
            )
        )
    return rows


def sign_test(worse: int, better: int) -> float:
    """How likely so many of the inputs on which two differ go one way by chance, or more: exact and one-sided."""
    all_ = worse + better
    return sum(comb(all_, k) for k in range(worse, all_ + 1)) / 2**all_
