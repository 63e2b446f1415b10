"""The ablation: from the teacher to the shipped model one change at a time; budget.json, .md and .html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.report.ablation_page import render
from distilmt.report.build import to_strict_json
from distilmt.report.format import MISSING, number, p_value, rate, signed, size
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text

HEADS = ("beam", "BLEU", "against teacher", "chrF", "against teacher", "bytes", "÷", "ms", "×", "sent/s", "RSS", "mJ")


def build(
    about: Mapping[str, Any], points: Sequence[Any], chosen: Any, stages: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Build the content of the ablation report.

    Args:
        about: facts: pair, metric, floor, goal, the run's signature, language.
        points: all candidates, dataclasses of a variant and its figures.
        chosen: the shipped one.
        stages: measurements of the stages that lead to it, the teacher first.
    """
    is_within_budget = chosen.score >= about["floor"]
    return {
        **about,
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "machine": machine(),
        "kept": is_within_budget,
        "chosen": asdict(chosen) | {"name": chosen.variant.name},
        "stages": list(stages),
        "points": [asdict(point) | {"name": point.variant.name} for point in points],
    }


def verdict(ablation: Mapping[str, Any]) -> str:
    """One sentence on whether the quality constraint is met."""
    chosen, metric = ablation["chosen"], {"bleu": "BLEU", "chrf": "chrF"}[ablation["metric"]]
    lost = ablation["floor"] + ablation["max_drop"] - chosen["score"]
    change = f"loses {number(lost, 2)} {metric}" if lost > 0 else f"gains {number(-lost, 2)} {metric}"
    sentence = f"{chosen['name']} {change} against the {ablation['against']} on the validation sentences"
    promised = f"constraint: a loss of at most {ablation['max_drop']:g}"
    if ablation["kept"]:
        return f"The {ablation['goal']} that meets the quality constraint: {sentence} ({promised})."
    return f"No candidate meets the quality constraint ({promised}). The closest: {sentence}."


def rows(ablation: Mapping[str, Any]) -> list[list[str]]:
    """A row for every stage: its change, then the columns of `HEADS`."""
    teacher = ablation["stages"][0]
    return [[_label(stage, place), *_figures(stage, teacher)] for place, stage in enumerate(ablation["stages"])]


def _label(stage: Mapping[str, Any], place: int) -> str:
    plus = "" if place == 0 or stage["label"] in ("baseline", "student") else "+ "
    return plus + str(stage["label"]) + ("" if stage["taken"] else " (tried, not used)")


def _figures(stage: Mapping[str, Any], teacher: Mapping[str, Any]) -> list[str]:
    speed, base = stage["speed"], teacher["speed"]
    slower, faster = base["latency_ms"]["p50"], speed["latency_ms"]["p50"]
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
        number(1e3 * speed["joules"]["batch_1"], 2) if speed["joules"] else MISSING,
    ]


def _difference(stage: Mapping[str, Any], metric: str) -> str:
    comparison = stage["against_teacher"].get(metric)
    if not comparison:
        return ""
    low, high = comparison["ci"]
    return (
        f"{signed(comparison['difference'], 2)} [{signed(low, 2)}, {signed(high, 2)}], {p_value(comparison['p_value'])}"
    )


NOTE = (
    "On the test set, which is not used for selection. Each row adds one change to the row above; the baseline "
    "is for comparison. Against teacher: difference, 95 % interval and p of a paired bootstrap. bytes: all shipped "
    "files, with vocabulary and tokenizer; ÷ and ×: how many times smaller and faster than the teacher. ms: median of "
    "single sentences on one thread; sent/s: in batches of 64 on one thread; mJ: energy of the whole processor per "
    "sentence, where available. Systems are timed in turn."
)


def markdown(ablation: Mapping[str, Any]) -> str:
    """The ablation and all candidates, as Markdown."""
    pair, scores = ablation["pair"], ablation["stages"][0]["scores"]
    table = [_line(("", *HEADS)), "|---|" + "---:|" * len(HEADS), *(_line(row) for row in rows(ablation))]
    tried = ["| candidate | validation | bytes | ms |", "|---|---:|---:|---:|"]
    for point in sorted(ablation["points"], key=lambda point: point["bytes"]):
        check_mark = "" if point["score"] < ablation["floor"] else " ✓"
        cells = (
            point["name"],
            number(point["score"], 2) + check_mark,
            size(point["bytes"]),
            number(point["milliseconds"], 2),
        )
        tried.append(_line(cells))
    parts = [
        f"# Ablation, {pair['source']} → {pair['target']}",
        f"distilmt {ablation['distilmt_version']}, {ablation['date']}, {ablation['machine'].get('cpu', '?')}.",
        verdict(ablation),
        "\n".join(table),
        NOTE,
        *_health(ablation),
        f"Scores: `{scores['bleu_signature']}` and `{scores['chrf_signature']}`. Student: `{ablation['signature']}`",
        "\n".join(tried),
        f"✓ meets the quality constraint: at least {number(ablation['floor'], 2)} {ablation['metric']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _health(ablation: Mapping[str, Any]) -> list[str]:
    """Challenge results of the shipped model, in one sentence, if there are any."""
    rows = [row for verdicts in ablation.get("examination", {}).values() for row in verdicts]
    if not rows:
        return []
    failed = [
        f"{row['name']} ({100 * row['student'] / row['cases']:.0f} % of {row['cases']}, the teacher "
        f"{100 * row['teacher'] / row['cases']:.0f} %)"
        for row in rows
        if not row["passed"]
    ]
    worse = (
        f"Significantly worse than the teacher: {', '.join(failed)}."
        if failed
        else "It is significantly worse in none."
    )
    return [f"Challenge sets: {len(rows) - len(failed)} of {len(rows)} passed compared with the teacher. {worse}"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(ablation: Mapping[str, Any], directory: Path) -> None:
    """Write the three files, each atomically."""
    clean = to_strict_json(ablation)
    write_json(directory / "budget.json", clean)
    write_text(directory / "budget.md", markdown(clean))
    write_text(directory / "budget.html", render(clean, rows(clean)))
