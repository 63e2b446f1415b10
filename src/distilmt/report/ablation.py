"""The ablation: from the teacher to the shipped model one change at a time; ablation.json, .md and .html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from distilmt import __version__
from distilmt.report.ablation_markdown import markdown
from distilmt.report.ablation_schema import Ablation, Candidate, SearchFacts, StageResult
from distilmt.report.ablation_table import headings, rows, table_note
from distilmt.report.build import to_strict_json
from distilmt.report.challenges import ChallengeTable, breach_text, challenge_tables, limit_text
from distilmt.report.format import language_tag, number, signed, size
from distilmt.report.languages import Translation, translation
from distilmt.report.plots import Bubble, scatter
from distilmt.report.rendering import Page, Tile, render_template
from distilmt.report.tables import METRICS, Table
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text


@dataclass(frozen=True)
class AblationView:
    """What `ablation.html.j2` shows."""

    stages: Table
    note: str
    quality: Markup
    challenges: Sequence[ChallengeTable]
    limits: str
    """Of failures; empty without any."""
    failures: Table
    """Failures of the candidates for which they were counted."""
    source_tag: str
    target_tag: str
    candidates: Markup
    metric: str
    floor: str
    signature: str


def build(
    facts: SearchFacts, candidates: Sequence[Candidate], chosen: Candidate, stages: Sequence[StageResult]
) -> Ablation:
    """Build the content of the ablation report.

    Args:
        facts: the search.
        candidates: all of them.
        chosen: the shipped one.
        stages: measurements of the stages that lead to it, the teacher first.
    """
    return {
        **facts,
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "machine": machine(),
        "meets_constraint": chosen["score"] >= facts["floor"] and not chosen["breaches"],
        "chosen": chosen,
        "stages": list(stages),
        "points": list(candidates),
    }


def write(ablation: Ablation, directory: Path) -> None:
    """Write the three files, each atomically.

    Raises:
        UserError: the page cannot be written in that language (`languages()` can).
    """
    clean = to_strict_json(ablation)
    write_json(directory / "ablation.json", clean)
    write_text(directory / "ablation.md", markdown(clean))
    write_text(directory / "ablation.html", render(clean))


def render(ablation: Ablation) -> str:
    """The page as HTML."""
    _, pair = translation(ablation["language"]), ablation["pair"]
    page = Page(
        title=_("Ablation: %(source)s → %(target)s", source=pair["source"], target=pair["target"]),
        headline=_headline(ablation, _),
        version=ablation["distilmt_version"],
        date=ablation["date"],
        findings=[_change(ablation, _), *_limit_finding(ablation, _)],
        tiles=_tiles(ablation, _),
    )
    view = AblationView(
        stages=Table(_("From the teacher to the shipped model"), [_("Change"), *headings(_)], rows(ablation, _)),
        note=table_note(_),
        quality=_stages_plot(ablation, _),
        challenges=challenge_tables(ablation["challenge_sets"], _),
        limits=limit_text(ablation["max_failures"], _),
        failures=_failures(ablation, _),
        source_tag=language_tag(pair["source"]),
        target_tag=language_tag(pair["target"]),
        candidates=_candidates_plot(ablation, _),
        metric=METRICS[ablation["metric"]],
        floor=number(ablation["floor"], 2),
        signature=ablation["signature"],
    )
    return render_template("ablation", ablation["language"], page, view)


def _failures(ablation: Ablation, _: Translation) -> Table:
    """Why candidates with enough quality are not chosen; the smallest is first."""
    examined = [(point, point["breaches"]) for point in ablation["points"] if point["breaches"] is not None]
    return Table(
        _("Limits of failures"),
        [_("Candidate"), _("size"), _("ms"), _("Above its limit")],
        [
            [point["name"], size(point["bytes"]), number(point["milliseconds"], 2), breach_text(breaches) or _("none")]
            for point, breaches in sorted(examined, key=lambda each: each[0]["bytes"])
        ],
    )


def _headline(ablation: Ablation, _: Translation) -> str:
    name = ablation["chosen"]["name"]
    if not ablation["meets_constraint"]:
        return _("No candidate meets the quality constraint; the closest: %(name)s", name=name)
    if ablation["goal"] == "smallest":
        return _("The smallest that meets the quality constraint: %(name)s", name=name)
    return _("The fastest that meets the quality constraint: %(name)s", name=name)


def _change(ablation: Ablation, _: Translation) -> str:
    """The chosen model's change of score against the limit."""
    values = {
        "change": signed(ablation["chosen"]["score"] - ablation["floor"] - ablation["max_drop"], 2),
        "metric": METRICS[ablation["metric"]],
        "allowed": f"{ablation['max_drop']:g}",
    }
    if ablation["against"] == "teacher":
        return _(
            "%(change)s %(metric)s against the teacher on the validation set; the limit is a loss of %(allowed)s.",
            **values,
        )
    return _(
        "%(change)s %(metric)s against the student on the validation set; the limit is a loss of %(allowed)s.",
        **values,
    )


def _limit_finding(ablation: Ablation, _: Translation) -> list[str]:
    """Whether the chosen model fails too often, if failures are limited."""
    limits, breaches = limit_text(ablation["max_failures"], _), breach_text(ablation["chosen"]["breaches"] or ())
    if not limits:
        return []
    if breaches:
        return [_("It fails too often: %(breaches)s (allowed: %(limits)s).", breaches=breaches, limits=limits)]
    return [_("It fails no challenge set more often than is allowed (%(limits)s).", limits=limits)]


def _tiles(ablation: Ablation, _: Translation) -> list[Tile]:
    """Size, speed and quality of the shipped model and the teacher."""
    first, last = ablation["stages"][0], _shipped(ablation)
    slow, fast = first["speed"]["latency_ms"]["p50"], last["speed"]["latency_ms"]["p50"]
    teacher_bleu, bleu = first["scores"]["bleu"], last["scores"]["bleu"]
    figures = [
        (_("Size"), size(last["bytes"]), f"÷{number(first['bytes'] / last['bytes'])}", size(first["bytes"])),
        (_("Milliseconds per sentence"), number(fast, 2), f"×{number(slow / fast)}", number(slow, 2)),
        (_("BLEU, test"), number(bleu, 2), signed(bleu - teacher_bleu, 2), number(teacher_bleu, 2)),
    ]
    return [
        Tile(name, value, change, _("teacher %(value)s", value=other_value))
        for name, value, change, other_value in figures
    ]


def _shipped(ablation: Ablation) -> StageResult:
    return [stage for stage in ablation["stages"] if stage["taken"]][-1]


def _stages_plot(ablation: Ablation, _: Translation) -> Markup:
    """BLEU on the test set over bytes; labels of small changes would overlap and are left out."""
    shipped = _shipped(ablation)
    bubbles = [
        Bubble(
            name=stage["label"],
            label=stage["label"] if stage["label"] in ("teacher", "baseline", "student") or stage is shipped else "",
            x=float(stage["bytes"]),
            y=stage["scores"]["bleu"],
            area=stage["speed"]["latency_ms"]["p50"],
            title=f"{stage['label']}: {number(stage['scores']['bleu'], 2)} BLEU, {size(stage['bytes'])}",
        )
        for stage in ablation["stages"]
    ]
    return scatter(bubbles, _("bytes"), "BLEU", _("Quality and size"))


def _candidates_plot(ablation: Ablation, _: Translation) -> Markup:
    """Scores on the validation set over bytes; only the shipped model is labeled."""
    shipped = ablation["chosen"]["name"]
    bubbles = [
        Bubble(
            name="student" if point["name"] == shipped else "other",
            label=point["name"] if point["name"] == shipped else "",
            x=float(point["bytes"]),
            y=point["score"],
            area=0.0,
            title=f"{point['name']}: {number(point['score'], 2)}, {size(point['bytes'])}",
        )
        for point in ablation["points"]
    ]
    return scatter(bubbles, _("bytes"), METRICS[ablation["metric"]], _("All candidates"))
