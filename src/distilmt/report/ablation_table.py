"""The table of an ablation: a row for every stage from the teacher to the shipped model."""

from __future__ import annotations

from distilmt.report.ablation_schema import Ablation, StageResult
from distilmt.report.format import MISSING, number, p_value, rate, signed, size
from distilmt.report.languages import Translation


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
