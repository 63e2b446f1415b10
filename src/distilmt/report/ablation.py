"""The ablation: from the teacher to the shipped model one change at a time; ablation.json, .md and .html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from distilmt import __version__
from distilmt.report.ablation_schema import Ablation, Candidate, SearchFacts, StageResult
from distilmt.report.build import to_strict_json
from distilmt.report.challenges import ChallengeTable, challenge_tables
from distilmt.report.format import MISSING, language_tag, number, p_value, rate, signed, size
from distilmt.report.languages import Translation, translation
from distilmt.report.markdown import markdown_table
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
        "meets_constraint": chosen["score"] >= facts["floor"],
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
        findings=[_change(ablation, _)],
        tiles=_tiles(ablation, _),
    )
    view = AblationView(
        stages=Table(_("From the teacher to the shipped model"), [_("Change"), *headings(_)], rows(ablation, _)),
        note=table_note(_),
        quality=_stages_plot(ablation, _),
        challenges=challenge_tables(ablation["challenge_sets"], _),
        source_tag=language_tag(pair["source"]),
        target_tag=language_tag(pair["target"]),
        candidates=_candidates_plot(ablation, _),
        metric=METRICS[ablation["metric"]],
        floor=number(ablation["floor"], 2),
        signature=ablation["signature"],
    )
    return render_template("ablation", ablation["language"], page, view)


def headings(_: Translation) -> list[str]:
    """Headings of the table's columns of figures."""
    against = _("against teacher")
    return [
        _("beam"), "BLEU", against, "chrF", against, _("size"), "÷", _("ms"), "×", _("sent/s"), _("memory"), _("mJ")
    ]  # fmt: skip


def rows(ablation: Ablation, _: Translation) -> list[list[str]]:
    """A row for every stage: its change, then the columns of `headings`."""
    teacher = ablation["stages"][0]
    return [[_label(stage, index == 0, _), *_figures(stage, teacher)] for index, stage in enumerate(ablation["stages"])]


def _label(stage: StageResult, is_first: bool, _: Translation) -> str:
    plus = "" if is_first or stage["label"] in ("baseline", "student") else "+ "
    label = plus + stage["label"]
    return label if stage["taken"] else _("%(change)s (tried, not used)", change=label)


def _figures(stage: StageResult, teacher: StageResult) -> list[str]:
    speed, joules = stage["speed"], stage["speed"]["joules"]
    slower, faster = teacher["speed"]["latency_ms"]["p50"], speed["latency_ms"]["p50"]
    return [
        str(stage["beam_size"]),
        number(stage["scores"]["bleu"], 2),
        _difference(stage, "bleu"),
        number(stage["scores"]["chrf"], 2),
        _difference(stage, "chrf"),
        size(stage["bytes"]),
        number(teacher["bytes"] / stage["bytes"]),
        number(faster, 2),
        number(slower / faster),
        rate(speed["sentences_per_second"]["batch_64"]),
        size(speed["peak_rss_bytes"]),
        number(1e3 * joules["batch_1"], 2) if joules else MISSING,
    ]


def _difference(stage: StageResult, metric: str) -> str:
    comparison = stage["against_teacher"].get(metric)
    if not comparison:
        return ""
    low, high = comparison["ci"]
    return (
        f"{signed(comparison['difference'], 2)} [{signed(low, 2)}, {signed(high, 2)}], {p_value(comparison['p_value'])}"
    )


def table_note(_: Translation) -> str:
    """Explanation of the columns."""
    return _(
        "Measured on the test set, which is not used for selection. Each row adds one change to the row above; the "
        "baseline is for comparison. Against teacher: difference, 95 %% interval and p of a paired bootstrap. Size: "
        "all shipped files; ÷ and ×: times smaller and faster than the teacher. ms: median of single sentences on one "
        "thread; sent/s: in batches of 64 on one thread; mJ: energy of the whole processor per sentence, where "
        "available. All are timed in turn."
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


def verdict(ablation: Ablation) -> str:
    """One sentence on whether the quality constraint is met."""
    chosen, metric = ablation["chosen"], METRICS[ablation["metric"]]
    lost = ablation["floor"] + ablation["max_drop"] - chosen["score"]
    change = f"loses {number(lost, 2)} {metric}" if lost > 0 else f"gains {number(-lost, 2)} {metric}"
    sentence = f"{chosen['name']} {change} against the {ablation['against']} on the validation sentences"
    constraint = f"constraint: a loss of at most {ablation['max_drop']:g}"
    if ablation["meets_constraint"]:
        return f"The {ablation['goal']} that meets the quality constraint: {sentence} ({constraint})."
    return f"No candidate meets the quality constraint ({constraint}). The closest: {sentence}."


def markdown(ablation: Ablation) -> str:
    """The ablation and all candidates, as Markdown in English."""
    _, pair, scores = translation("en"), ablation["pair"], ablation["stages"][0]["scores"]
    parts = [
        f"# Ablation, {pair['source']} → {pair['target']}",
        f"distilmt {ablation['distilmt_version']}, {ablation['date']}, {ablation['machine'].get('cpu', '?')}.",
        verdict(ablation),
        markdown_table(["", *headings(_)], rows(ablation, _)),
        table_note(_),
        *_challenge_sentences(ablation),
        f"Scores: `{scores['bleu_signature']}` and `{scores['chrf_signature']}`. Student: `{ablation['signature']}`",
        markdown_table(["candidate", "validation", "bytes", "ms"], _candidate_rows(ablation)),
        f"✓ meets the quality constraint: at least {number(ablation['floor'], 2)} {ablation['metric']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _candidate_rows(ablation: Ablation) -> list[list[str]]:
    candidates = sorted(ablation["points"], key=lambda point: point["bytes"])
    check_marks = ["" if point["score"] < ablation["floor"] else " ✓" for point in candidates]
    return [
        [point["name"], number(point["score"], 2) + mark, size(point["bytes"]), number(point["milliseconds"], 2)]
        for point, mark in zip(candidates, check_marks, strict=True)
    ]


def _challenge_sentences(ablation: Ablation) -> list[str]:
    """Challenge results of the shipped model, in one paragraph, if there are any."""
    results = [row for comparisons in ablation["challenge_sets"].values() for row in comparisons]
    if not results:
        return []
    failed = [
        f"{row['name']} ({100 * row['student'] / row['cases']:.0f} % of {row['cases']}, the teacher "
        f"{100 * row['teacher'] / row['cases']:.0f} %)"
        for row in results
        if not row["passed"]
    ]
    worse = (
        f"Significantly worse than the teacher: {', '.join(failed)}."
        if failed
        else "It is significantly worse in none."
    )
    return [f"Challenge sets: {len(results) - len(failed)} of {len(results)} passed compared with the teacher. {worse}"]
