"""The ablation as Markdown in English."""

from __future__ import annotations

from distilmt.report.ablation_schema import Ablation, Candidate
from distilmt.report.ablation_table import headings, rows, table_note
from distilmt.report.challenges import breach_text, limit_text
from distilmt.report.format import number, size
from distilmt.report.languages import translation
from distilmt.report.markdown import markdown_table
from distilmt.report.tables import METRICS


def verdict(ablation: Ablation) -> str:
    """One sentence on whether the quality constraint is met."""
    chosen, metric = ablation["chosen"], METRICS[ablation["metric"]]
    lost = ablation["floor"] + ablation["max_drop"] - chosen["score"]
    change = f"loses {number(lost, 2)} {metric}" if lost > 0 else f"gains {number(-lost, 2)} {metric}"
    sentence = f"{chosen['name']} {change} against the {ablation['against']} on the validation sentences"
    sentence += f" and fails too often: {breach_text(chosen['breaches'])}" if chosen["breaches"] else ""
    constraint = f"constraint: a loss of at most {ablation['max_drop']:g}"
    if ablation["max_failures"]:
        constraint += f"; failures: at most {limit_text(ablation['max_failures'], translation('en'))}"
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
        markdown_table(_candidate_headings(ablation), _candidate_rows(ablation)),
        f"✓ meets the quality constraint: at least {number(ablation['floor'], 2)} {ablation['metric']}.",
        *([_FAILURES_NOTE] if ablation["max_failures"] else []),
    ]
    return "\n\n".join(parts) + "\n"


_FAILURES_NOTE = (
    "Failures are counted on challenge sets made of validation sentences, for the cheapest candidates that meet the "
    "quality constraint, up to the first one within the limits."
)


def _candidate_headings(ablation: Ablation) -> list[str]:
    return ["candidate", "validation", "bytes", "ms", *(["above its limit"] if ablation["max_failures"] else [])]


def _candidate_rows(ablation: Ablation) -> list[list[str]]:
    return [
        [
            point["name"],
            number(point["score"], 2) + ("" if point["score"] < ablation["floor"] else " ✓"),
            size(point["bytes"]),
            number(point["milliseconds"], 2),
            *([_failure_cell(point)] if ablation["max_failures"] else []),
        ]
        for point in sorted(ablation["points"], key=lambda point: point["bytes"])
    ]


def _failure_cell(point: Candidate) -> str:
    return "" if point["breaches"] is None else breach_text(point["breaches"]) or "none"


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
