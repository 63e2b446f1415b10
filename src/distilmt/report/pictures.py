"""The pictures that students have read, and their scores under other conditions, as records that the templates show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distilmt.report.differences import tested_difference
from distilmt.report.facts import Definition, definitions
from distilmt.report.format import number, p_value, signed
from distilmt.report.languages import Translation
from distilmt.report.schema import PictureCondition, PictureFacts, RunReport
from distilmt.report.tables import Table


@dataclass(frozen=True)
class PicturesView:
    """Sentences about the pictures, their settings, and scores under other conditions."""

    notes: Sequence[str]
    conditions: Table | None
    settings: Sequence[Definition]


def pictures_view(report: RunReport, _: Translation) -> PicturesView | None:
    """The section of a report of students that read pictures; None for students that read text."""
    facts = report["pictures"]
    if facts is None:
        return None
    notes = [_notes(facts, _), _left_out(facts, _), _quantization(report, _), _sample(facts, _), _challenges(_)]
    settings = definitions({**facts["settings"], "seed": facts["seed"]})
    return PicturesView([note for note in notes if note], _conditions(facts["conditions"], _), settings)


def _notes(facts: PictureFacts, _: Translation) -> str:
    return _(
        "Student and baseline read pictures of the test sentences, the teacher reads the sentences. The pictures are "
        "rendered in fonts that no training picture has: %(fonts)s.",
        fonts=", ".join(facts["held_out_fonts"]),
    )


def _left_out(facts: PictureFacts, _: Translation) -> str:
    if not facts["left_out"]:
        return ""
    return _(
        "%(count)s test sentences have characters that these fonts lack, or are too long for a picture: they are left "
        "out for all systems.",
        count=number(facts["left_out"], 0),
    )


def _quantization(report: RunReport, _: Translation) -> str:
    """What int8 costs the student."""
    row = next((row for row in report["comparisons"] if (row["a"], row["b"], row["metric"]) == _INT8), None)
    change = None if row is None else tested_difference(row)
    if change is None:
        return ""
    return _(
        "int8 changes the student by %(difference)s BLEU compared with float32 (%(p)s).",
        difference=signed(change.change),
        p=p_value(change.p_value),
    )


_INT8 = ("student-int8", "student", "bleu")


def _sample(facts: PictureFacts, _: Translation) -> str:
    """On which sentences the scores under other conditions are, if not on all."""
    count, total = min((each["sentences"] for each in facts["conditions"]), default=0), len(facts["rows"])
    if not count or count == total:
        return ""
    return _(
        "The scores under other conditions are those of %(count)s of the %(total)s sentences, evenly spread over the "
        "test set: compare them only with each other.",
        count=number(count, 0),
        total=number(total, 0),
    )


def _challenges(_: Translation) -> str:
    return _("The challenge sets are texts: they are left out.")


def _conditions(conditions: Sequence[PictureCondition], _: Translation) -> Table | None:
    """BLEU and chrF of each system, a row for each condition."""
    if not conditions:
        return None
    names = {
        ("held_out", "clean"): _("held-out fonts, clean"),
        ("held_out", "degraded"): _("held-out fonts, degraded"),
        ("training", "clean"): _("training fonts, clean"),
        ("training", "degraded"): _("training fonts, degraded"),
    }
    systems = list(dict.fromkeys(each["system"] for each in conditions))
    scores = {(each["fonts"], each["degradation"], each["system"]): each for each in conditions}
    headings = [_("Pictures"), *(f"{system}, {metric}" for system in systems for metric in ("BLEU", "chrF"))]
    rows = [
        [
            name,
            *(
                number(scores[condition[0], condition[1], system][metric])
                for system in systems
                for metric in ("bleu", "chrf")
            ),
        ]
        for condition, name in names.items()
    ]
    return Table(_("Pictures"), headings, rows)
