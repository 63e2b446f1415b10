"""Render a run's report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from markupsafe import Markup

from distilmt.report.build import to_strict_json
from distilmt.report.challenges import ChallengeTable, challenge_tables
from distilmt.report.contamination import ContaminationView, contamination_view
from distilmt.report.cost import CostView, cost_view
from distilmt.report.differences import by_name, deployed_system, difference, ratio, speed, teacher_system
from distilmt.report.examples import ExamplesView, examples_view
from distilmt.report.facts import CorpusView, Definition, corpus_view, definitions
from distilmt.report.figures import CurvesView, curves_view, scatter_figure
from distilmt.report.format import MISSING, language_tag, number, rate, signed, size
from distilmt.report.frames import FramesView, pictures_view, speech_view
from distilmt.report.languages import Translation, named, translation
from distilmt.report.rendering import Page, Tile, render_template
from distilmt.report.responses import responses_table, without_kinds
from distilmt.report.schema import RunReport, complete
from distilmt.report.slices import SlicesView, losing_slices, slices_view
from distilmt.report.summary import findings, headline
from distilmt.report.tables import ComparisonRow, NumbersTable, Table, comparison_rows, health_table, systems_table
from distilmt.utils.run_dir import write_json, write_text


@dataclass(frozen=True)
class RunView:
    """What `run.html.j2` shows, a field for every section."""

    source_tag: str
    """The source language as in HTML."""
    target_tag: str
    sentences: int
    """Of the test set; 0 if unknown."""
    sentences_text: str
    beam_sizes: str
    systems: NumbersTable
    scatter: Markup | None
    comparisons: Sequence[ComparisonRow]
    slices: SlicesView | None
    examples: ExamplesView
    health: NumbersTable | None
    pictures: FramesView | None
    speech: FramesView | None
    challenges: Sequence[ChallengeTable]
    curves: CurvesView
    cost: CostView
    corpus: CorpusView
    contamination: ContaminationView | None
    labels: Sequence[Definition]
    responses: Table | None
    """Of a language model as teacher."""
    signature: str
    score_signatures: Sequence[str]
    machine: Sequence[Definition]
    config: str
    """YAML."""


def write_report(report: Mapping[str, object], directory: Path, language: str) -> None:
    """Write `report.json` and `report.html` to a directory, each atomically.

    Raises:
        UserError: the report cannot be written in that language (`languages()` can).
    """
    clean = to_strict_json(report)
    page = render(clean, language)
    write_json(directory / "report.json", clean)
    write_text(directory / "report.html", page)


def render(stored: Mapping[str, object], language: str) -> str:
    """The page of a report.json, of this version or an older one; missing values are left out or shown as a dash."""
    report, _ = complete(stored), translation(language)
    pair = report["pair"]
    page = Page(
        title=_(
            "Distillation report: %(source)s → %(target)s",
            source=pair["source"] or "?",
            target=pair["target"] or "?",
        ),
        headline=headline(report, _),
        version=report["distilmt_version"] or MISSING,
        date=report["date"] or MISSING,
        findings=[*findings(report, _), *filter(None, [losing_slices(report, _)])],
        tiles=_tiles(report, _),
    )
    return render_template("run", language, page, run_view(report, _))


def run_view(report: RunReport, _: Translation) -> RunView:
    """The content of all sections."""
    test, pair, config = report["test"], report["pair"], report["config"]
    beams = {number(system["beam_size"], 0) for system in report["systems"] if system.get("beam_size")}
    signatures = (test.get("bleu_signature"), test.get("chrf_signature"), test.get("ter_signature"))
    return RunView(
        source_tag=language_tag(pair["source"]),
        target_tag=language_tag(pair["target"]),
        sentences=test.get("sentences") or 0,
        sentences_text=number(test.get("sentences"), 0),
        beam_sizes=", ".join(sorted(beams)) or MISSING,
        systems=systems_table(report, _),
        scatter=scatter_figure(report, _),
        comparisons=comparison_rows(report),
        slices=slices_view(report, _),
        examples=examples_view(report, _),
        health=health_table(report, _),
        pictures=pictures_view(report, _),
        speech=speech_view(report, _),
        challenges=challenge_tables(report["challenge_sets"], _),
        curves=curves_view(report, _),
        cost=cost_view(report, _),
        corpus=corpus_view(report["corpus"], _),
        contamination=contamination_view(report["corpus"], _),
        labels=definitions(without_kinds(report["labels"])),
        responses=responses_table(report["labels"], _),
        signature=report["signature"] or MISSING,
        score_signatures=[signature for signature in signatures if signature],
        machine=definitions(report["machine"], _machine_names(_)),
        config=yaml.safe_dump(config, allow_unicode=True, sort_keys=False) if config else "",
    )


def _machine_names(_: Translation) -> dict[str, str]:
    return {
        "cpu": _("Processor"),
        "architecture": _("Architecture"),
        "instructions": _("Instructions"),
        "cores": _("Cores"),
        "system": _("System"),
        "memory_bytes": _("Memory"),
        "python": "Python",
        "versions": _("Versions"),
    }


def _tiles(report: RunReport, _: Translation) -> list[Tile]:
    """Size, speed, quality and memory of the student against the teacher."""
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student is None or teacher is None:
        return []
    a, b = by_name(report)[student], by_name(report)[teacher]
    change = difference(report, student, teacher)
    smaller = ratio(b.get("file_bytes"), a.get("file_bytes"))
    lighter = ratio(b.get("peak_rss_bytes"), a.get("peak_rss_bytes"))

    def compared(value: str) -> str:
        return _("%(system)s: %(value)s", system=named(teacher, _), value=value)

    return [
        Tile(_("Size on disk"), size(a.get("file_bytes")), _times("÷", smaller), compared(size(b.get("file_bytes")))),
        Tile(
            _("Sentences per second"),
            rate(speed(a)),
            _times("×", ratio(speed(a), speed(b))),
            compared(rate(speed(b))),
        ),
        Tile("BLEU", number(a.get("bleu")), signed(change.change if change else None), compared(number(b.get("bleu")))),
        Tile(
            _("Peak memory"),
            size(a.get("peak_rss_bytes")),
            _times("÷", lighter),
            compared(size(b.get("peak_rss_bytes"))),
        ),
    ]


def _times(sign: str, value: float | None) -> str:
    return "" if value is None else f"{sign}{number(value)}"
