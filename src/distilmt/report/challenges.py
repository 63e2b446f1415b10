"""Challenge results as records that the templates show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.config.failure_limits import ALL
from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.evaluation.failure_rates import LimitBreach
from distilmt.report.format import number, p_value
from distilmt.report.languages import Translation

_SHOWN_BREACHES = 4


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


def breach_text(breaches: Sequence[LimitBreach]) -> str:
    """The limits of failures that a model exceeds: `capitals 12.5 % > 5.0 %`; empty if it exceeds none."""
    shown = [
        f"{each['name']} {number(100 * each['rate'])} % > {number(100 * each['limit'])} %"
        for each in breaches[:_SHOWN_BREACHES]
    ]
    more = len(breaches) - len(shown)
    return ", ".join([*shown, *([f"… (+{more})"] if more else [])])


def limit_text(limits: Mapping[str, float], _: Translation) -> str:
    """Limits of failures by challenge set: `capitals 5.0 %, all others 10.0 %`."""
    general = [_("all others %(limit)s %%", limit=number(100 * limits[ALL]))] if ALL in limits else []
    own = [f"{name} {number(100 * limit)} %" for name, limit in limits.items() if name != ALL]
    if general and not own:
        return _("all sets %(limit)s %%", limit=number(100 * limits[ALL]))
    return ", ".join([*own, *general])


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
