"""The plan of how much text to label: plan.json, .md and .html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from distilmt import __version__
from distilmt.report.build import to_strict_json
from distilmt.report.format import MISSING, duration, number, size
from distilmt.report.languages import Translation, translation
from distilmt.report.markdown import aligned_table
from distilmt.report.plan_schema import Plan, PlanContent, PlanLine
from distilmt.report.plan_sentences import estimate, findings, headline, law, metric, notes, signed_estimate
from distilmt.report.plots import FittedCurve, fitted_curve
from distilmt.report.rendering import Page, render_template
from distilmt.report.tables import Table
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text


@dataclass(frozen=True)
class PlanView:
    """What `plan.html.j2` shows."""

    curve: Markup
    metric: str
    level: str
    """Probability of the intervals in per cent."""
    law: str
    costs: Table
    costs_note: str
    notes: Sequence[str]
    trained: Table


def write(content: PlanContent, fingerprint: str, directory: Path) -> None:
    """Write the three files, each atomically; plan.json last, because it marks a plan as finished.

    Args:
        content: the recommendation.
        fingerprint: of everything that the plan depends on.
        directory: an existing directory.

    Raises:
        UserError: the page cannot be written in that language (`languages()` can).
    """
    plan: Plan = {**content, "distilmt_version": __version__, "date": date_for_reports(), "machine": machine()}
    plan = to_strict_json(plan)
    write_text(directory / "plan.html", render(plan))
    write_text(directory / "plan.md", markdown(plan))
    write_json(directory / "plan.json", {**plan, "fingerprint": fingerprint})


def render(plan: Plan) -> str:
    """The page as HTML."""
    _, pair = translation(plan["language"]), plan["pair"]
    page = Page(
        title=_("Plan: %(source)s → %(target)s", source=pair["source"], target=pair["target"]),
        headline=headline(plan, _),
        version=plan["distilmt_version"],
        date=plan["date"],
        findings=findings(plan, _),
    )
    view = PlanView(
        curve=_plot(plan, _),
        metric=metric(plan),
        level=f"{100 * plan['level']:g}",
        law=law(plan, _),
        costs=Table(_("Amount of text and cost"), headings(plan, _), rows(plan)),
        costs_note=table_note(plan, _),
        notes=notes(plan, _),
        trained=Table(_("Trained students"), trained_headings(_), trained_rows(plan)),
    )
    return render_template("plan", plan["language"], page, view)


def _plot(plan: Plan, _: Translation) -> Markup:
    name = metric(plan)
    points = []
    for point in plan["points"]:
        if point["updates"] == plan["updates"]:
            score = point["chrf"] if plan["metric"] == "chrf" else point["bleu"]
            tooltip = f"{number(point['size'], 0)}: {number(score, 2)} {name}"
            points.append((float(point["size"]), float(score), tooltip))
    curve = FittedCurve(points, [tuple(row) for row in plan["curve"]], float(plan["total"]))
    return fitted_curve(curve, "", name, _("The learning curve"))


def headings(plan: Plan, _: Translation) -> list[str]:
    """Headings of the table of sizes; with costs only if a price is given."""
    names = [
        _("sentences"),
        metric(plan),
        _("gain"),
        _("cross-entropy"),
        _("labeling"),
        _("bytes of labels"),
        _("training"),
        _("epochs"),
    ]
    return [*names, *([_("price")] if plan["rates"]["price"] is not None else [])]


def rows(plan: Plan) -> list[list[str]]:
    """A row for every size."""
    return [_row(line, plan["rates"]["price"] is not None) for line in plan["lines"]]


def _row(line: PlanLine, has_price: bool) -> list[str]:
    return [
        number(line["sentences"], 0) + (" *" if line["beyond"] else ""),
        estimate(line["score"]),
        signed_estimate(line["gain"]),
        estimate(line["cross_entropy"], 3),
        duration(line["label_seconds"]),
        size(line["label_bytes"]),
        duration(line["train_seconds"]),
        number(line["passes"]),
        *([_price(line["price"])] if has_price else []),
    ]


def _price(value: float | None) -> str:
    """Cost, in the currency of the given price."""
    return MISSING if value is None else number(value, 2)


def trained_headings(_: Translation) -> list[str]:
    """Headings of the table of trained students."""
    return [_("sentences"), _("updates"), _("seed"), "BLEU", "chrF", _("cross-entropy"), _("seconds")]


def trained_rows(plan: Plan) -> list[list[str]]:
    """A row for every trained student."""
    return [
        [
            number(p["size"], 0),
            number(p["updates"], 0),
            str(p["seed"]),
            number(p["bleu"], 2),
            number(p["chrf"], 2),
            number(p["cross_entropy"], 3),
            number(p["train_seconds"], 0),
        ]
        for p in plan["points"]
    ]


def table_note(plan: Plan, _: Translation) -> str:
    """Explanation of the columns."""
    return _(
        "%(metric)s and cross-entropy (nats per token of the references) on the validation set, after %(updates)s "
        "updates for each size; in brackets the %(level)s %% interval. gain: over the row above. training: the run's "
        "student with its %(run_updates)s updates, independent of the size (its baseline needs the same again); "
        "epochs: how often it sees every sentence. * more text than available.",
        metric=metric(plan),
        updates=number(plan["updates"], 0),
        run_updates=number(plan["run_updates"], 0),
        level=f"{100 * plan['level']:g}",
    )


def markdown(plan: Plan) -> str:
    """The plan as Markdown, in English."""
    _, pair = translation("en"), plan["pair"]
    parts = [
        f"# Plan, {pair['source']} → {pair['target']}",
        f"distilmt {plan['distilmt_version']}, {plan['date']}, {plan['machine'].get('cpu', '?')}.",
        f"{headline(plan, _)}.",
        *findings(plan, _),
        aligned_table(headings(plan, _), rows(plan)),
        table_note(plan, _),
        law(plan, _),
        aligned_table(trained_headings(_), trained_rows(plan)),
        *notes(plan, _),
    ]
    return "\n\n".join(parts) + "\n"
