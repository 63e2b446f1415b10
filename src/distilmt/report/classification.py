"""The report of distilled classifiers: report.json, .md and .html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from distilmt.report.classification_schema import ClassificationReport, ClassifierRecord, StudyRecord
from distilmt.report.format import MISSING, number, signed, size
from distilmt.report.languages import Translation, translation
from distilmt.report.markdown import markdown_table
from distilmt.report.plots import Bubble, scatter
from distilmt.report.rendering import Page, Tile, render_template
from distilmt.report.tables import Table
from distilmt.utils.run_dir import write_json, write_text


@dataclass(frozen=True)
class ClassificationView:
    """What `classification.html.j2` shows."""

    students: Table
    students_note: str
    plot: Markup
    texts: Table
    texts_note: str


def write(results: ClassificationReport, directory: Path) -> None:
    """Write report.json, report.md and report.html, each atomically.

    Args:
        results: facts and rows of `distilmt.recipes.classify`.
        directory: an existing directory.

    Raises:
        UserError: it cannot be written in that language (`languages()` can).
    """
    _ = translation(results["language"])
    page, text = render(results, _), markdown(results, _)
    write_json(directory / "report.json", results)
    write_text(directory / "report.md", text)
    write_text(directory / "report.html", page)


def render(results: ClassificationReport, _: Translation) -> str:
    """The page."""
    page = Page(
        title=_title(_),
        headline=_headline(results, _),
        version=results["distilmt_version"],
        date=results["date"],
        findings=_findings(results["rows"], _),
        tiles=_tiles(results, _),
    )
    counts = [[name, str(count)] for name, count in results["sections"].items()]
    view = ClassificationView(
        students=Table(_("Students with and without a teacher"), headings(_), _cells(results["rows"])),
        students_note=_table_note(_),
        plot=_plot(results["rows"], _),
        texts=Table(_("Texts"), ("", _("Texts")), counts),
        texts_note=_texts_note(results, _),
    )
    return render_template("classification", results["language"], page, view)


def _title(_: Translation) -> str:
    return _("Classifiers: ten sections of Debian")


def headings(_: Translation) -> list[str]:
    """Headings of the table of students."""
    return [
        _("student"),
        _("teacher"),
        _("accuracy %%"),
        _("without"),
        _("gain"),
        "p",
        _("macro-F1 %%"),
        "ECE %",
        _("without"),
        _("agrees %%"),
        _("bytes"),
        _("ms"),
        _("fit s"),
    ]


def _table_note(_: Translation) -> str:
    return _(
        "Every student is fitted on the labels only (“without”), and on them and a teacher's cross-fitted "
        "probabilities. p: paired bootstrap over the test texts. ECE: expected calibration error. Agrees: share of "
        "texts with the same prediction as the teacher. ms: median of single texts. One split, one seed: "
        "benchmarks/sections.py has five."
    )


def _texts_note(results: ClassificationReport, _: Translation) -> str:
    return _(
        "%(train)s package descriptions for training, %(test)s for testing, from different source packages.",
        train=results["texts"]["train"],
        test=results["texts"]["test"],
    )


def markdown(results: ClassificationReport, _: Translation) -> str:
    """The table and its findings, as Markdown."""
    provenance = _("distilmt %(version)s, %(date)s", version=results["distilmt_version"], date=results["date"])
    parts = [
        f"# {_title(_)}",
        provenance,
        f"{_headline(results, _)}.",
        "\n".join(f"- {finding}" for finding in _findings(results["rows"], _)),
        markdown_table(headings(_), _cells(results["rows"]), left=2),
        _table_note(_),
        _texts_note(results, _),
    ]
    return "\n\n".join(parts) + "\n"


def _gain(scores: ClassifierRecord, without: ClassifierRecord) -> float:
    """Percentage points of accuracy from a teacher."""
    return 100 * (scores["accuracy"]["value"] - without["accuracy"]["value"])


def _row_gain(row: StudyRecord) -> float:
    return 0.0 if row["without"] is None else _gain(row["scores"], row["without"])


def _is_significant(scores: ClassifierRecord) -> bool:
    return scores["against"] is not None and scores["against"]["accuracy_p"] < 0.05


def _distilled_rows(rows: Sequence[StudyRecord]) -> list[StudyRecord]:
    return [row for row in rows if row["without"] is not None]


def _deployed(results: ClassificationReport) -> tuple[StudyRecord, StudyRecord]:
    """The deployed student, which was trained with the last teacher, and that teacher."""
    row = [row for row in _distilled_rows(results["rows"]) if row["student"] == results["deployed"]][-1]
    return row, next(one for one in results["rows"] if one["without"] is None and one["student"] == row["teacher"])


def _headline(results: ClassificationReport, _: Translation) -> str:
    row, _teacher = _deployed(results)
    return _(
        "%(student)s: accuracy %(accuracy)s %%, %(gain)s points from distillation",
        student=row["student"],
        accuracy=number(100 * row["scores"]["accuracy"]["value"]),
        gain=signed(_row_gain(row)),
    )


def _findings(rows: Sequence[StudyRecord], _: Translation) -> list[str]:
    """For each teacher, the number of students that improve."""
    sentences = []
    for teacher in dict.fromkeys(row["teacher"] for row in rows):
        distilled = [row for row in _distilled_rows(rows) if row["teacher"] == teacher]
        better = [row for row in distilled if _row_gain(row) > 0]
        sentence = _.ngettext(
            "Teacher %(teacher)s: %(better)s of %(count)s student improves, %(sure)s of them significantly (p < 0.05).",
            "Teacher %(teacher)s: %(better)s of %(count)s students improve, %(sure)s of them significantly (p < 0.05).",
            len(distilled),
            teacher=teacher,
            better=len(better),
            count=len(distilled),
            sure=sum(_is_significant(row["scores"]) for row in better),
        )
        sentences.append(sentence)
    return sentences


def _tiles(results: ClassificationReport, _: Translation) -> list[Tile]:
    row, teacher = _deployed(results)
    a, b = row["scores"], teacher["scores"]
    figures = [
        (_("Accuracy"), f"{number(100 * a['accuracy']['value'])} %", f"{number(100 * b['accuracy']['value'])} %"),
        (_("Size"), size(a["bytes"]), size(b["bytes"])),
        (_("Milliseconds per text"), number(a["latency_ms"], 2), number(b["latency_ms"], 2)),
    ]
    return [Tile(name, value, "", _("teacher %(value)s", value=other_value)) for name, value, other_value in figures]


def _cells(rows: Sequence[StudyRecord]) -> list[list[str]]:
    return [_row_cells(row) for row in rows]


def _row_cells(row: StudyRecord) -> list[str]:
    """The columns of `headings`; those of the comparison are empty for a teacher."""
    scores, without = row["scores"], row["without"]
    against = scores["against"]
    return [
        row["student"],
        row["teacher"] if without else "",
        number(100 * scores["accuracy"]["value"]),
        number(100 * without["accuracy"]["value"]) if without else "",
        signed(_gain(scores, without)) if without else "",
        f"{against['accuracy_p']:.3f}" if against else "",
        number(100 * scores["macro_f1"]["value"]),
        _percent(scores["ece"]),
        _percent(without["ece"]) if without else "",
        _percent(scores["agreement"]) if without else "",
        size(scores["bytes"]),
        number(scores["latency_ms"], 2),
        number(row["fit_seconds"]),
    ]


def _percent(share: float | None) -> str:
    return MISSING if share is None else number(100 * share)


def _plot(rows: Sequence[StudyRecord], _: Translation) -> Markup:
    bubbles = []
    for row in rows:
        kind = "teacher" if row["without"] is None else "student"
        name = row["student"] if kind == "teacher" else f"{row['student']} ← {row['teacher']}"
        accuracy = 100 * row["scores"]["accuracy"]["value"]
        label = name if kind == "teacher" else ""
        title = f"{name}: {number(accuracy)} %, {size(row['scores']['bytes'])}"
        bubbles.append(Bubble(kind, label, float(row["scores"]["bytes"] or 1), accuracy, 0.0, title))
    return scatter(bubbles, _("bytes"), _("accuracy, %%"), _("Accuracy and size"))
