"""The loss budget: from a teacher to what is shipped one change at a time; budget.json, .md and .html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.report.ablation_page import render
from distilmt.report.build import to_strict_json
from distilmt.report.format import MISSING, number, p_value, rate, signed, size
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text

HEADS = ("beam", "BLEU", "against teacher", "chrF", "against teacher", "bytes", "÷", "ms", "×", "sent/s", "RSS", "mJ")


def build(
    about: Mapping[str, Any], points: Sequence[Any], chosen: Any, stages: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Everything that is to be told.

    Args:
        about: facts: pair, metric, floor, what was looked for, the run's signature, language.
        points: all that were tried, dataclasses of a variant and its figures.
        chosen: the one that is shipped.
        stages: what was measured on the way to it, the teacher first.
    """
    is_within_budget = chosen.score >= about["floor"]
    return {
        **about,
        "distilmt_version": __version__,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "kept": is_within_budget,
        "chosen": asdict(chosen) | {"name": chosen.variant.name},
        "stages": list(stages),
        "points": [asdict(point) | {"name": point.variant.name} for point in points],
    }


def verdict(ablation: Mapping[str, Any]) -> str:
    """Whether the promise is kept, in one sentence."""
    chosen, metric = ablation["chosen"], {"bleu": "BLEU", "chrf": "chrF"}[ablation["metric"]]
    lost = ablation["floor"] + ablation["max_drop"] - chosen["score"]
    change = f"loses {number(lost, 2)} {metric}" if lost > 0 else f"gains {number(-lost, 2)} {metric}"
    sentence = f"{chosen['name']} {change} against the {ablation['against']} on the validation sentences"
    promised = f"at most {ablation['max_drop']:g} were allowed"
    if ablation["kept"]:
        return f"The {ablation['goal']} that keeps the promise: {sentence} ({promised})."
    return f"Nothing that was tried keeps the promise ({promised}). The nearest: {sentence}."


def rows(ablation: Mapping[str, Any]) -> list[list[str]]:
    """A row for every stage: what was changed, then what `HEADS` says."""
    teacher = ablation["stages"][0]
    return [[_label(stage, place), *_figures(stage, teacher)] for place, stage in enumerate(ablation["stages"])]


def _label(stage: Mapping[str, Any], place: int) -> str:
    plus = "" if place == 0 or stage["label"] in ("baseline", "student") else "+ "
    return plus + stage["label"] + ("" if stage["taken"] else " (tried, not taken)")


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
    "On the test sentences, which chose nothing. Each row is the one before with one change more; the baseline stands "
    "beside it. Against teacher: difference, its 95 % interval and p of a paired bootstrap. bytes: all that is "
    "shipped, vocabulary and tokenizer too; ÷ and ×: so many times smaller and faster than the teacher. ms: median of "
    "single sentences on one thread; sent/s: in batches of 64 on one thread; mJ: energy of the whole processor a "
    "sentence, where the machine tells. Systems are timed in turn."
)


def markdown(ablation: Mapping[str, Any]) -> str:
    """The budget, and all that was tried."""
    pair, scores = ablation["pair"], ablation["stages"][0]["scores"]
    table = [_line(("", *HEADS)), "|---|" + "---:|" * len(HEADS), *(_line(row) for row in rows(ablation))]
    tried = ["| tried | validation | bytes | ms |", "|---|---:|---:|---:|"]
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
        f"# Loss budget, {pair['source']} → {pair['target']}",
        f"distilmt {ablation['distilmt_version']}, {ablation['date']}, {ablation['machine'].get('cpu', '?')}.",
        verdict(ablation),
        "\n".join(table),
        NOTE,
        *_health(ablation),
        f"Scores: `{scores['bleu_signature']}` and `{scores['chrf_signature']}`. Student: `{ablation['signature']}`",
        "\n".join(tried),
        f"✓ keeps the promise: {number(ablation['floor'], 2)} {ablation['metric']} at least.",
    ]
    return "\n\n".join(parts) + "\n"


def _health(ablation: Mapping[str, Any]) -> list[str]:
    """What is shipped before inputs that scores say nothing of: one sentence, if it was examined."""
    rows = [row for verdicts in ablation.get("examination", {}).values() for row in verdicts]
    if not rows:
        return []
    failed = [
        f"{row['name']} ({100 * row['student'] / row['cases']:.0f} % of {row['cases']}, the teacher "
        f"{100 * row['teacher'] / row['cases']:.0f} %)"
        for row in rows
        if not row["passed"]
    ]
    worse = f"Surely worse than the teacher in: {', '.join(failed)}." if failed else "In none is it surely worse."
    return [f"Health checks: {len(rows) - len(failed)} of {len(rows)} pass against the teacher. {worse}"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(ablation: Mapping[str, Any], directory: Path) -> None:
    """Write the three files, each whole or not at all."""
    clean = to_strict_json(ablation)
    write_json(directory / "budget.json", clean)
    write_text(directory / "budget.md", markdown(clean))
    write_text(directory / "budget.html", render(clean, rows(clean)))
