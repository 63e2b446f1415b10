"""The contamination of a corpus, as records that the templates show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.report.format import MISSING, number, number_or_none
from distilmt.report.languages import Translation
from distilmt.report.schema import Facts
from distilmt.report.tables import Table


@dataclass(frozen=True)
class ContaminationView:
    """Faults of the sources of a corpus, the overlap with held-out text, and texts in a wrong encoding."""

    table: Table
    overlap: str
    examples: Sequence[tuple[str, str]]
    """Text as read, and as it was before it was decoded with the wrong encoding."""


def contamination_view(corpus: Facts, _: Translation) -> ContaminationView | None:
    """The contamination report of a corpus; None in runs without one."""
    report = _mapping(corpus.get("contamination"))
    if not report:
        return None
    sources, overlap = _mapping(report.get("sources")), _mapping(report.get("overlap"))
    headings = [_("Source"), _("Inspected"), _("Wrong encoding"), _("Copies"), _("Near-constant targets")]
    headings += [_("Shifted lines"), _("Other languages")]
    return ContaminationView(
        Table(_("Contamination"), headings, [_row(name, _mapping(each)) for name, each in sources.items()]),
        _(
            "%(dropped)s training pairs shared a side with validation or test sentences and were dropped; "
            "%(remaining)s such pairs are trained on.",
            dropped=_count(overlap, "dropped"),
            remaining=_count(overlap, "remaining"),
        ),
        [
            (str(example.get("source")) + " → " + str(example.get("target")), str(example.get("repaired")))
            for each in sources.values()
            for example in _list(_mapping(_mapping(each).get("mojibake")).get("examples"))
        ],
    )


def _row(name: str, source: Facts) -> list[str]:
    shifted = [f"{row['first_line']}–{row['last_line']} ({row['offset']:+d})" for row in _list(source.get("shifted"))]
    constant = [f"{row['sources']} × {row['target']}" for row in _list(source.get("constant_targets"))]
    return [
        name,
        _count(source, "inspected"),
        _share(_mapping(source.get("mojibake"))),
        _share(_mapping(source.get("copies"))),
        ", ".join(constant) or "0",
        ", ".join(shifted) or "0",
        _languages(_mapping(source.get("languages"))),
    ]


def _languages(sides: Facts) -> str:
    """Shares of unexpected languages by side; a dash where languages were not identified."""
    identified = {side: _mapping(evidence) for side, evidence in sides.items() if evidence}
    if not identified:
        return MISSING
    shares = [
        f"{side}: {code} {number(100 * (number_or_none(share) or 0.0), 0)} %"
        for side, evidence in identified.items()
        for code, share in _mapping(evidence.get("others")).items()
    ]
    return ", ".join(shares) or "0"


def _share(pairs: Facts) -> str:
    count = number_or_none(pairs.get("count")) or 0.0
    share = number_or_none(pairs.get("share")) or 0.0
    return f"{number(count, 0)} ({number(100 * share)} %)" if count else "0"


def _count(facts: Facts, key: str) -> str:
    return number(number_or_none(facts.get(key)), 0)


def _mapping(value: object) -> Facts:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Facts]:
    return value if isinstance(value, list) else []
