"""Scores by length, source and register, as records that the templates show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distilmt.evaluation.score_slices import LENGTH, REGISTER, SOURCE, SliceScore
from distilmt.report.differences import deployed_system, teacher_system
from distilmt.report.format import MISSING, number, signed
from distilmt.report.languages import Translation, named
from distilmt.report.schema import RunReport
from distilmt.report.tables import Table


@dataclass(frozen=True)
class SlicesView:
    """A table for every kind of slice, and a sentence on those that lose more than the mean."""

    tables: Sequence[Table]
    finding: str


def slices_view(report: RunReport, _: Translation) -> SlicesView | None:
    """Scores of all parts of the test set; None in older reports."""
    kinds = {LENGTH: _("Length of the source, characters"), SOURCE: _("Source"), REGISTER: _("Register")}
    tables = [
        _table(heading, [row for row in report["slices"] if row["kind"] == kind], report, _)
        for kind, heading in kinds.items()
    ]
    shown = [table for table in tables if table.rows]
    return SlicesView(shown, losing_slices(report, _)) if shown else None


def losing_slices(report: RunReport, _: Translation) -> str:
    """One sentence: which parts lose more than the mean from the teacher to the student; empty without a comparison."""
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if not (student and teacher and any(row["interval"] for row in report["slices"])):
        return ""
    losing = [f"{_name(row, _)} ({signed(row['excess'])})" for row in report["slices"] if row["loses_more"]]
    names = {"student": named(student, _), "teacher": named(teacher, _)}
    if not losing:
        return _("No part of the test set loses more than the mean between %(teacher)s and %(student)s.", **names)
    return _(
        "These parts of the test set lose more than the mean between %(teacher)s and %(student)s, in chrF per "
        "sentence: %(slices)s.",
        slices=", ".join(losing),
        **names,
    )


def _name(row: SliceScore, _: Translation) -> str:
    return _("%(range)s characters", range=row["name"]) if row["kind"] == LENGTH else row["name"]


def _table(heading: str, rows: Sequence[SliceScore], report: RunReport, _: Translation) -> Table:
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    systems = [name for name in (teacher, student, deployed_system(report, "baseline")) if name]
    headings = [heading, _("Sentences"), *(f"chrF, {name}" for name in systems)]
    headings += [_("Difference"), _("Against the mean"), _("95%% interval")]
    return Table(
        heading,
        headings,
        [
            [
                row["name"],
                number(row["sentences"], 0),
                *(number(row["chrf"].get(name)) for name in systems),
                signed(row["change"]),
                signed(row["excess"]) + (" ▼" if row["loses_more"] else ""),
                _interval(row),
            ]
            for row in rows
        ],
    )


def _interval(row: SliceScore) -> str:
    return f"{signed(row['interval'][0])} … {signed(row['interval'][1])}" if row["interval"] else MISSING
