"""Challenge results as records that the templates show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.report.format import number, p_value
from distilmt.report.languages import Translation


@dataclass(frozen=True)
class ChallengeRow:
    """A challenge set: failure rates of a system and the teacher, and failures (source and translation)."""

    name: str
    cases: str
    student: str
    teacher: str
    p_value: str
    passed: bool
    examples: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ChallengeTable:
    """All challenge sets of a system."""

    system: str
    rows: Sequence[ChallengeRow]


def challenge_tables(results: Mapping[str, Sequence[ChallengeComparison]], _: Translation) -> list[ChallengeTable]:
    """A table for every system with challenge results."""
    return [ChallengeTable(name, [_row(row, _) for row in rows]) for name, rows in results.items()]


def _row(row: ChallengeComparison, _: Translation) -> ChallengeRow:
    return ChallengeRow(
        name=challenge_names(_).get(row["name"], row["name"]),
        cases=number(row["cases"], 0),
        student=f"{number(100 * row['student'] / row['cases'], 0)} %",
        teacher=f"{number(100 * row['teacher'] / row['cases'], 0)} %",
        p_value=p_value(row["p_value"]),
        passed=row["passed"],
        examples=[(example["source"], example["translation"]) for example in row["examples"]],
    )


def challenge_names(_: Translation) -> dict[str, str]:
    """What fails in each challenge set."""
    return {
        "short": _("single words: repeated, padded or missing"),
        "numbers": _("numbers not copied"),
        "addresses": _("web and mail addresses not copied"),
        "emoji": _("emoji and arrows not copied"),
        "code": _("code not copied"),
        "brackets": _("brackets and quotes not copied"),
        "names": _("unseen names not copied"),
        "capitals": _("all capitals: translation degrades"),
        "title case": _("title case: translation degrades"),
        "typos": _("typing error: translation degrades"),
        "no full stop": _("no full stop: translation degrades"),
        "empty": _("empty translation"),
        "loops": _("repetitions"),
        "copied source": _("copied source"),
        "odd length": _("length outliers"),
        "wrong language": _("in the source language"),
        "invented words": _("invented words"),
        "long input": _("long input: sentences missing"),
        "alone or in a batch": _("translation differs alone and in a batch"),
    }
