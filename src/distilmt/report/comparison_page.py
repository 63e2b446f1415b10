"""The page of a comparison: the table, learning curves, and scores by length and word frequency."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from distilmt.report.format import escape, number
from distilmt.report.layout import Page, in_language, page_title, plain_table, provenance, render_page, sections
from distilmt.report.layout import note as remark
from distilmt.report.plots import LineSeries, lines

_COLOURS = (
    "#4453c4",
    "#0b7a5c",
    "#a8560c",
    "#b3364f",
    "#7a4bb5",
    "#2a7fa3",
    "#6b7a12",
    "#c4529a",
    "#5b6470",
    "#8a6d1f",
)

_WORDS = {
    "en": {
        "title": "Comparison of methods",
        "headline": "Best by validation: {best}, {bleu} BLEU",
        "against": ", {against} against {baseline}",
        "nothing": "No trained student yet",
        "method": "Method",
        "table": "Methods",
        "curves": "Validation BLEU by update",
        "updates": "updates",
        "length": "chrF by source length in characters",
        "frequency": "F1 of words by frequency in the training text",
        "note": "Means over seeds; the teacher is in the last row.",
        "signatures": "Signatures",
        "made": "distilmt {version}, {date}",
    },
    "zh": {
        "title": "方法比较",
        "headline": "按验证集最好：{best}，BLEU {bleu}",
        "against": "，与 {baseline} 相比 {against}",
        "nothing": "还没有训练好的学生模型",
        "method": "方法",
        "table": "各方法",
        "curves": "验证集 BLEU（按更新次数）",
        "updates": "更新次数",
        "length": "按源句字符数分组的 chrF",
        "frequency": "按训练文本中词频分组的词 F1",
        "note": "各随机种子的平均值；最后一行是教师模型。",
        "signatures": "各方法的设置",
        "made": "distilmt {version}，{date}",
    },
}


def render(comparison: Mapping[str, Any], heads: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    """The page as HTML.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    words = in_language(_WORDS, comparison["language"])
    table = plain_table((words["method"], *heads), rows, words["method"])
    parts = [
        (words["table"], table + remark(note.replace("`", ""))),
        (words["curves"], _curves(comparison, words)),
        (words["length"], _breakdown(comparison, "length", words)),
        (words["frequency"], _breakdown(comparison, "frequency", words)),
        (words["signatures"], _signatures(comparison)),
    ]
    page = Page(
        language=comparison["language"],
        title=page_title(comparison, words),
        headline=_headline(comparison, rows, words),
        sections=sections(parts),
        provenance=provenance(comparison, words),
        style=_palette(comparison),
    )
    return render_page(page)


def _palette(comparison: Mapping[str, Any]) -> str:
    rules = (f".m-{i} {{ --c: {_COLOURS[i % len(_COLOURS)]}; }}" for i in range(len(comparison["methods"])))
    return "\n".join(rules)


def _headline(comparison: Mapping[str, Any], rows: Sequence[Sequence[str]], words: Mapping[str, str]) -> str:
    row = next((row for row in rows if row[0] == comparison["best"]), None)
    if row is None:
        return words["nothing"]
    sentence = words["headline"].format(best=row[0], bleu=row[1])
    return sentence + (words["against"].format(against=row[6], baseline=comparison["baseline"]) if row[6] else "")


def _curves(comparison: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Validation BLEU, the mean over seeds at every update that all have."""
    curves = []
    for number_, method in enumerate(comparison["methods"]):
        runs = [
            {row["update"]: row["bleu"] for row in curve if row.get("bleu") is not None} for curve in method["curves"]
        ]
        shared = sorted(set.intersection(*map(set, runs))) if runs else []
        points = [(float(update), statistics.mean(run[update] for run in runs)) for update in shared]
        if points:
            curves.append((number_, LineSeries(method["name"], method["name"], points)))
    if not curves:
        return ""
    legend = "".join(f'<li class="m-{i}">{escape(line.label)}</li>' for i, line in curves)
    plot = lines([line for _, line in curves], words["updates"], words["curves"], [f"m-{i}" for i, _ in curves])
    return f'<ul class="legend">{legend}</ul><figure class="wide">{plot}</figure>'


def _breakdown(comparison: Mapping[str, Any], what: str, words: Mapping[str, str]) -> str:
    names = [*((m["name"], m["runs"]) for m in comparison["methods"]), ("teacher", [comparison["teacher"]])]
    rows = []
    for name, runs in names:
        bins = zip(*(run[f"by_{what}"] for run in runs), strict=True)
        rows.append([name, *(number(statistics.mean(b), 1) if None not in b else "–" for b in bins)])
    heads = (words["method"], *comparison["bins"][what])
    return remark(words["note"]) + plain_table(heads, rows, words["method"])


def _signatures(comparison: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li>{escape(method['name'])}: <code>{escape(method['signature'])}</code></li>"
        for method in comparison["methods"]
    )
    return f"<ul>{items}</ul>"
