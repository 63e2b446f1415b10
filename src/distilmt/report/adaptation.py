"""The result of `distilmt adapt`: adaptation.json and adaptation.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distilmt import __version__
from distilmt.evaluation.quality import Comparison
from distilmt.report.adaptation_schema import Adaptation, AdaptationContent, AdaptationTest
from distilmt.report.build import to_strict_json
from distilmt.report.differences import SIGNIFICANT
from distilmt.report.format import number, p_value, signed, size
from distilmt.report.markdown import markdown_table
from distilmt.utils.dates import date_for_reports
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import write_json, write_text

_NAMES = {"own-text": "your text", "old-text": "old text"}
_METRICS = {"bleu": "BLEU", "chrf": "chrF"}
_HEADINGS = (
    "test set",
    "sentences",
    *(f"{metric} {when}" for metric in ("BLEU", "chrF") for when in ("before", "after", "change")),
)


def write(content: AdaptationContent, directory: Path) -> None:
    """Write both files, each atomically.

    Args:
        content: the measurements.
        directory: an existing directory.
    """
    result: Adaptation = {
        **content,
        "distilmt_version": __version__,
        "date": date_for_reports(),
        "machine": machine(),
    }
    write_text(directory / "adaptation.md", markdown(result))
    write_json(directory / "adaptation.json", to_strict_json(result))


def markdown(result: Adaptation) -> str:
    """The table, and what it says, as Markdown."""
    training, pair = result["training"], result["pair"]
    about = (
        f"{pair['source']}–{pair['target']}: {result['student']}, trained further for {training['updates']:,} updates "
        f"({training['seconds']:.0f} s) on {training['own_sentences']:,} sentences of your text among "
        f"{training['sentences']:,}; the result is {result['model']} ({size(result['bytes'])})."
    )
    table = markdown_table(_HEADINGS, [_row(test) for test in result["tests"]])
    return "\n".join([about, "", table, "", *(f"- {line}" for line in _findings(result)), ""])


def _row(test: AdaptationTest) -> list[str]:
    cells = [_NAMES.get(test["text"], test["text"]), f"{test['sentences']:,}"]
    for metric in _METRICS:
        row = _of_metric(test, metric)
        low, high = row["ci"]
        change = f"{signed(row['difference'], 2)} ({signed(low, 1)} to {signed(high, 1)}, {p_value(row['p_value'])})"
        cells += [number(row["b_score"], 2), number(row["a_score"], 2), change]
    return cells


def _of_metric(test: AdaptationTest, metric: str) -> Comparison:
    return next(row for row in test["comparisons"] if row["metric"] == metric)


def _findings(result: Adaptation) -> Iterator[str]:
    own, *others = result["tests"]
    yield _verdict(_of_metric(own, "bleu"))
    for old in others:
        yield _loss(_of_metric(old, "bleu"))
    if not others:
        yield (
            "There is no old text, so what the student forgot is not measured: name sentence pairs like its training "
            "text with --old_text."
        )
    yield (
        f"Brackets: 95 % interval and p of a paired bootstrap; int8 exports, beam {result['beam_size']}; the test "
        "sentences were in no training text of the adaptation."
    )


def _is_significant(row: Comparison) -> bool:
    return row["p_value"] < SIGNIFICANT


def _verdict(row: Comparison) -> str:
    change = signed(row["difference"], 2)
    if not _is_significant(row):
        return f"On your text the student did not change measurably ({change} BLEU): keep the one that you have."
    if row["difference"] < 0:
        return f"On your text the student is worse ({change} BLEU): keep the one that you have, and check your pairs."
    return f"On your text the student gained {number(row['difference'], 2)} BLEU."


def _loss(row: Comparison) -> str:
    change = signed(row["difference"], 2)
    if not _is_significant(row):
        return f"On the old text it forgot nothing that is measurable ({change} BLEU)."
    if row["difference"] > 0:
        return f"On the old text it gained, too ({change} BLEU)."
    lost = number(-row["difference"], 2)
    return (
        f"On the old text it lost {lost} BLEU: if that is too much, raise --old_share or --keep_weight, or lower "
        "--learning_rate."
    )
