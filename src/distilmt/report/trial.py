"""The result of `distilmt trial`, the reasons against the teacher, and both as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from distilmt.report.format import MISSING, duration, number

_MEANINGS = {"removed_wrappers": "JSON, tags or lists", "removed_preambles": "introductions and remarks"}


class Agreement(TypedDict):
    """chrF and BLEU (0 to 100) of the first translations; `between`: the `references`, or two `samples` each."""

    chrf: float
    bleu: float | None
    between: str
    sentences: int


class WholeText(TypedDict):
    """What labeling all sentences takes, at the pace and price of the trial."""

    sentences: int
    seconds: float | None
    cost: float | None


class TeacherTrial(TypedDict):
    """What a teacher did with some sentences; values that were not measured are null."""

    teacher: str
    sentences: int
    failed: int
    """Sentences without a label."""
    kinds: dict[str, float]
    """Responses that are no translation, by kind."""
    removed: dict[str, float]
    """Responses with other text around a translation, by what was removed."""
    agreement: Agreement | None
    sentences_per_second: float | None
    cost: float | None
    whole: WholeText
    budget: float | None
    examples: list[list[str]]
    """Some sources with their translations."""
    reasons: list[str]
    """Reasons against the teacher."""
    verdict: str
    """`yes` or `no`."""


def reasons_against(trial: TeacherTrial, max_failures: float, min_agreement: float) -> list[str]:
    """Reasons against labeling the whole text.

    Args:
        trial: the measurements.
        max_failures: sentences without a label, in per cent.
        min_agreement: chrF.
    """
    reasons, agreement, cost = [], trial["agreement"], trial["whole"]["cost"]
    share = 100 * trial["failed"] / max(1, trial["sentences"])
    if share > max_failures:
        reasons.append(f"{share:.1f} % of the sentences have no label, more than --max_failures {max_failures:g}")
    if trial["failed"] == trial["sentences"]:
        return reasons
    if agreement and agreement["chrf"] < min_agreement:
        reasons.append(
            f"chrF {agreement['chrf']:.1f} with the {agreement['between']} is below --min_agreement {min_agreement:g}"
        )
    if cost and trial["budget"] and cost > trial["budget"]:
        reasons.append(f"the whole text costs {_money(cost)}, more than teacher.endpoint.budget {trial['budget']:g}")
    return reasons


def trial_text(trial: TeacherTrial) -> str:
    """The result as lines."""
    whole, rate = trial["whole"], trial["sentences_per_second"]
    share = 100 * trial["failed"] / max(1, trial["sentences"])
    lines = [
        ("teacher", trial["teacher"]),
        ("sentences", f"{trial['sentences']:,} of {whole['sentences']:,} that the run labels"),
        ("without a label", f"{trial['failed']:,} ({share:.1f} %)"),
        ("no translation", _counts(trial["kinds"])),
        ("removed", _counts(trial["removed"])),
        ("agreement", _agreement(trial["agreement"])),
        ("speed", f"{number(rate)} sentences/s; all: {duration(whole['seconds'])}" if rate else MISSING),
        ("price", f"{_money(trial['cost'])}; all: {_money(whole['cost'])}" if trial["cost"] else MISSING),
        *(("example", f"{source} → {translation}") for source, translation in trial["examples"]),
        ("verdict", f"no: {'; '.join(trial['reasons'])}" if trial["reasons"] else "yes: label the whole text"),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def _counts(counts: Mapping[str, float]) -> str:
    names = {kind: _MEANINGS.get(kind, kind.removeprefix("removed_").replace("_", " ")) for kind in counts}
    return ", ".join(f"{names[kind]} {count:,.0f}" for kind, count in counts.items()) or MISSING


def _agreement(agreement: Agreement | None) -> str:
    if agreement is None:
        return MISSING
    bleu = "" if agreement["bleu"] is None else f", BLEU {agreement['bleu']:.1f}"
    other = "the references" if agreement["between"] == "references" else "two samples each"
    return f"chrF {agreement['chrf']:.1f}{bleu} ({other}, {agreement['sentences']:,} sentences)"


def _money(amount: float | None) -> str:
    return MISSING if amount is None else f"{amount:,.4g}"
