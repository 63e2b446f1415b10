"""Example translations of all systems, as records that the templates show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from distilmt.report.diff import MarkedText, mark_differences
from distilmt.report.differences import deployed_system, teacher_system
from distilmt.report.format import number
from distilmt.report.languages import Translation
from distilmt.report.plots import series
from distilmt.report.schema import RunReport, TranslationExample

_BASE64 = re.compile("[A-Za-z0-9+/]+=*")


@dataclass(frozen=True)
class ExampleTranslation:
    """A system's translation; `css` is the class of its color, `chrf` its score as text or empty."""

    system: str
    css: str
    chrf: str
    text: Sequence[MarkedText]


@dataclass(frozen=True)
class ExampleCard:
    """One sentence: why it was chosen, source, reference, and the translations of the main and of other systems.

    `picture` and `recording` are what the students have read or heard, as addresses of data, or empty.
    """

    chosen: str
    picture: str
    recording: str
    source: str
    reference: str
    translations: Sequence[ExampleTranslation]
    other_translations: Sequence[ExampleTranslation]


@dataclass(frozen=True)
class ExamplesView:
    """All examples: numbers of random ones and of those where student and teacher differ most, and the cards."""

    random: int
    differing: int
    cards: Sequence[ExampleCard]


def examples_view(report: RunReport, _: Translation) -> ExamplesView:
    """All examples of a report."""
    choices = [example.get("chosen") for example in report["examples"]]
    cards = [_card(example, report, _) for example in report["examples"]]
    return ExamplesView(choices.count("random"), choices.count("differs"), cards)


def _card(example: TranslationExample, report: RunReport, _: Translation) -> ExampleCard:
    main_systems = (
        teacher_system(report),
        deployed_system(report, "student"),
        deployed_system(report, "baseline"),
    )
    names = list(example.get("translations") or {})
    first = [name for name in main_systems if name in names]
    choices = {"random": _("random"), "differs": _("differs most")}
    return ExampleCard(
        chosen=choices.get(example.get("chosen", ""), ""),
        picture=_address("image/png", example.get("picture")),
        recording=_address("audio/wav", example.get("recording")),
        source=example.get("source", ""),
        reference=example.get("reference", ""),
        translations=[_translation(name, example, report) for name in first if name is not None],
        other_translations=[_translation(name, example, report) for name in names if name not in first],
    )


def _address(kind: str, encoded: str | None) -> str:
    """The address of data in base64; empty for anything else."""
    return f"data:{kind};base64,{encoded}" if encoded and _BASE64.fullmatch(encoded) else ""


def _translation(name: str, example: TranslationExample, report: RunReport) -> ExampleTranslation:
    translations, teacher = example["translations"], teacher_system(report)
    by_teacher = translations.get(teacher) if teacher and teacher != name else None
    chrf = (example.get("chrf") or {}).get(name)
    return ExampleTranslation(
        system=name,
        css=series(name),
        chrf="" if chrf is None else number(chrf, 0),
        text=mark_differences(
            translations[name], example.get("reference", ""), by_teacher, report["pair"].get("target", "")
        ),
    )
