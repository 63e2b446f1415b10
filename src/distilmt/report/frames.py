"""What students have read or heard, and their scores under other conditions, as records that the templates show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.report.differences import tested_difference
from distilmt.report.facts import Definition, definitions
from distilmt.report.format import number, p_value, signed
from distilmt.report.languages import Translation
from distilmt.report.schema import (
    PictureCondition,
    PictureFacts,
    RunReport,
    SpeechCondition,
    SpeechFacts,
)
from distilmt.report.tables import Table


@dataclass(frozen=True)
class FramesView:
    """Sentences about the pictures or recordings, their settings, and scores under other conditions."""

    notes: Sequence[str]
    conditions: Table | None
    settings: Sequence[Definition]


def pictures_view(report: RunReport, _: Translation) -> FramesView | None:
    """The section of a report of students that read pictures; None for others."""
    facts = report["pictures"]
    if facts is None:
        return None
    about = _(
        "Student and baseline read pictures of the test sentences, the teacher reads the sentences. The pictures are "
        "rendered in fonts that no training picture has: %(fonts)s.",
        fonts=", ".join(facts["held_out_fonts"]),
    )
    left_out = _(
        "%(count)s test sentences have characters that these fonts lack, or are too long for a picture: they are left "
        "out for all systems.",
        count=number(facts["left_out"], 0),
    )
    names = {
        ("held_out", "clean"): _("held-out fonts, clean"),
        ("held_out", "degraded"): _("held-out fonts, degraded"),
        ("training", "clean"): _("training fonts, clean"),
        ("training", "degraded"): _("training fonts, degraded"),
    }
    scores = {(each["fonts"], each["degradation"], each["system"]): each for each in facts["conditions"]}
    notes = [about, left_out if facts["left_out"] else "", *_common_notes(report, facts, _)]
    return _view(facts, notes, _conditions(_("Pictures"), names, scores))


def speech_view(report: RunReport, _: Translation) -> FramesView | None:
    """The section of a report of students that hear speech; None for others."""
    facts = report["speech"]
    if facts is None:
        return None
    about = _(
        "Student and baseline hear the test sentences, the teacher reads them. Voices speak that no training recording "
        "has: %(voices)s.",
        voices=", ".join(facts["held_out_voices"]),
    )
    left_out = _(
        "%(count)s test sentences take too long to speak, or have nothing that is spoken: they are left out for all "
        "systems.",
        count=number(facts["left_out"], 0),
    )
    names = {
        ("held_out", "clean"): _("held-out voices, clean"),
        ("held_out", "degraded"): _("held-out voices, degraded"),
        ("training", "clean"): _("training voices, clean"),
        ("training", "degraded"): _("training voices, degraded"),
    }
    scores = {(each["voices"], each["degradation"], each["system"]): each for each in facts["conditions"]}
    notes = [about, left_out if facts["left_out"] else "", *_common_notes(report, facts, _)]
    return _view(facts, notes, _conditions(_("Recordings"), names, scores))


def _view(facts: PictureFacts | SpeechFacts, notes: Sequence[str], conditions: Table | None) -> FramesView:
    settings = definitions({**facts["settings"], "seed": facts["seed"]})
    return FramesView([note for note in notes if note], conditions, settings)


def _common_notes(report: RunReport, facts: PictureFacts | SpeechFacts, _: Translation) -> list[str]:
    return [_quantization(report, _), _sample(facts, _), _("The challenge sets are texts: they are left out.")]


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


def _sample(facts: PictureFacts | SpeechFacts, _: Translation) -> str:
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


def _conditions(
    title: str,
    names: Mapping[tuple[str, str], str],
    scores: Mapping[tuple[str, str, str], PictureCondition | SpeechCondition],
) -> Table | None:
    """BLEU and chrF of each system, a row for each condition."""
    if not scores:
        return None
    systems = list(dict.fromkeys(system for *_condition, system in scores))
    headings = [title, *(f"{system}, {metric}" for system in systems for metric in ("BLEU", "chrF"))]
    rows = [
        [
            name,
            *(number(each) for system in systems for each in _figures(scores[condition[0], condition[1], system])),
        ]
        for condition, name in names.items()
    ]
    return Table(title, headings, rows)


def _figures(scores: PictureCondition | SpeechCondition) -> tuple[float, float]:
    return scores["bleu"], scores["chrf"]
