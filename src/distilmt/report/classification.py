"""The report of distilled classifiers: report.json, .md and .html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distilmt.report.format import escape, number, signed, size
from distilmt.report.layout import Page, in_language, note, plain_table, provenance, render_page, sections, tile
from distilmt.report.plots import Bubble, scatter
from distilmt.utils.run_dir import write_json, write_text

_WORDS = {
    "en": {
        "title": "Classifiers: ten sections of Debian",
        "headline": "{student}: accuracy {accuracy} %, {gain} points from distillation",
        "finding": "Teacher {teacher}: {better} of {count} students improve, {sure} of them significantly (p < 0.05).",
        "table": "Students with and without a teacher",
        "heads": "student,teacher,accuracy %,without,gain,p,macro-F1 %,ECE %,without,agrees %,bytes,ms,fit s",
        "note": "Every student is fitted on the labels only (“without”), and on them and a teacher's cross-fitted "
        "probabilities. p: paired bootstrap over the test texts. ECE: expected calibration error. Agrees: share of "
        "texts with the same prediction as the teacher. ms: median of single texts. One split, one seed: "
        "benchmarks/sections.py has five.",
        "plot": "Accuracy and size",
        "plot_note": "Test accuracy over bytes on disk; teachers in blue, point at a circle for its name.",
        "bytes": "bytes",
        "accuracy": "accuracy, %",
        "texts": "Texts",
        "texts_note": "{train} package descriptions for training, {test} for testing, from different source packages.",
        "tile_accuracy": "Accuracy",
        "tile_size": "Size",
        "tile_speed": "Milliseconds per text",
        "other": "teacher {value}",
        "made": "distilmt {version}, {date}",
    },
    "zh": {
        "title": "分类器：Debian 的十个分类",
        "headline": "{student}：正确率 {accuracy} %，有教师时变化 {gain} 个百分点",
        "finding": "以 {teacher} 为教师：{count} 个学生中有 {better} 个更好，其中 {sure} 个差异显著（p < 0.05）。",
        "table": "有教师与没有教师的学生",
        "heads": "学生,教师,正确率 %,无教师,增益,p,宏平均 F1 %,ECE %,无教师,一致 %,字节,毫秒,训练秒",
        "note": "每个学生都训练两次：只用标签（“无教师”），以及标签加上教师交叉拟合的概率。p：对测试文本的配对自助法。"
        "ECE：期望校准误差。一致：与教师答案相同的文本比例。毫秒：单条文本的中位数。"
        "这里只有一次划分、一个种子：benchmarks/sections.py 有五次。",
        "plot": "正确率与大小",
        "plot_note": "测试集正确率与磁盘字节数；教师为蓝色，指向圆时显示名称。",
        "bytes": "字节",
        "accuracy": "正确率 %",
        "texts": "文本",
        "texts_note": "{train} 条软件包描述用于学习，{test} 条用于测试，两者来自不同的源码包。",
        "tile_accuracy": "正确率",
        "tile_size": "大小",
        "tile_speed": "每条文本毫秒",
        "other": "教师 {value}",
        "made": "distilmt {version}，{date}",
    },
}
ResultRow = Mapping[str, Any]
Words = Mapping[str, str]


def write(results: Mapping[str, Any], directory: Path) -> None:
    """Write report.json, report.md and report.html, each atomically.

    Args:
        results: `rows` of `distilmt.classification.study` as dictionaries, and the facts from
            `distilmt.recipes.classify`.
        directory: an existing directory.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    words = in_language(_WORDS, results["language"])
    page, text = render(results, words), markdown(results, words)
    write_json(directory / "report.json", results)
    write_text(directory / "report.md", text)
    write_text(directory / "report.html", page)


def render(results: Mapping[str, Any], words: Words) -> str:
    """The page."""
    counts = [[name, str(count)] for name, count in results["sections"].items()]
    texts = note(words["texts_note"].format(**results["texts"]))
    heads = words["heads"].split(",")
    parts = [
        (words["table"], plain_table(heads, _cells(results["rows"]), words["table"]) + note(words["note"])),
        (words["plot"], _plot(results["rows"], words) + note(words["plot_note"])),
        (words["texts"], texts + plain_table(("", words["texts"]), counts, words["texts"])),
    ]
    page = Page(
        language=results["language"],
        title=words["title"],
        headline=_headline(results, words),
        findings="".join(f"<li>{escape(finding)}</li>" for finding in _findings(results["rows"], words)),
        tiles=_tiles(results, words),
        sections=sections(parts),
        provenance=provenance(results, words),
    )
    return render_page(page)


def markdown(results: Mapping[str, Any], words: Words) -> str:
    """The table and its findings, as Markdown."""
    heads = words["heads"].split(",")
    lines = [
        f"# {words['title']}",
        "",
        words["made"].format(version=results["distilmt_version"], date=results["date"]),
        "",
    ]
    lines += [
        f"{_headline(results, words)}.",
        "",
        *(f"- {finding}" for finding in _findings(results["rows"], words)),
        "",
    ]
    lines += [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 2)]
    lines += [f"| {' | '.join(cells)} |" for cells in _cells(results["rows"])]
    return "\n".join([*lines, "", words["note"], "", words["texts_note"].format(**results["texts"]), ""])


def _distilled_rows(rows: Sequence[ResultRow]) -> list[ResultRow]:
    return [row for row in rows if row["without"] is not None]


def _gain(row: ResultRow) -> float:
    return 100 * float(row["scores"]["accuracy"]["value"] - row["without"]["accuracy"]["value"])


def _deployed(results: Mapping[str, Any]) -> tuple[ResultRow, ResultRow]:
    """The deployed student, which was trained with the last teacher, and that teacher."""
    row = [row for row in _distilled_rows(results["rows"]) if row["student"] == results["deployed"]][-1]
    return row, next(one for one in results["rows"] if one["without"] is None and one["student"] == row["teacher"])


def _headline(results: Mapping[str, Any], words: Words) -> str:
    row, _ = _deployed(results)
    accuracy = number(100 * row["scores"]["accuracy"]["value"])
    return words["headline"].format(student=row["student"], accuracy=accuracy, gain=signed(_gain(row)))


def _findings(rows: Sequence[ResultRow], words: Words) -> list[str]:
    """For each teacher, the number of students that improve."""
    sentences = []
    for teacher in dict.fromkeys(row["teacher"] for row in rows):
        taught = [row for row in _distilled_rows(rows) if row["teacher"] == teacher]
        better = [row for row in taught if _gain(row) > 0]
        sure = [row for row in better if row["scores"]["against"]["accuracy_p"] < 0.05]
        sentence = words["finding"].format(teacher=teacher, better=len(better), count=len(taught), sure=len(sure))
        sentences.append(sentence)
    return sentences


def _tiles(results: Mapping[str, Any], words: Words) -> str:
    row, teacher = _deployed(results)
    a, b = row["scores"], teacher["scores"]
    tiles = [
        ("accuracy", f"{number(100 * a['accuracy']['value'])} %", f"{number(100 * b['accuracy']['value'])} %"),
        ("size", size(a["bytes"]), size(b["bytes"])),
        ("speed", number(a["latency_ms"], 2), number(b["latency_ms"], 2)),
    ]
    return "".join(
        tile(words[f"tile_{name}"], value, "", words["other"].format(value=other)) for name, value, other in tiles
    )


def _cells(rows: Sequence[ResultRow]) -> list[list[str]]:
    return [_row_cells(row) for row in rows]


def _row_cells(row: ResultRow) -> list[str]:
    scores, without = row["scores"], row["without"]
    alone = without is None
    return [
        row["student"],
        "" if alone else row["teacher"],
        number(100 * scores["accuracy"]["value"]),
        "" if alone else number(100 * without["accuracy"]["value"]),
        "" if alone else signed(_gain(row)),
        "" if alone else f"{scores['against']['accuracy_p']:.3f}",
        number(100 * scores["macro_f1"]["value"]),
        _percent(scores["ece"]),
        "" if alone else _percent(without["ece"]),
        "" if alone else _percent(scores["agreement"]),
        size(scores["bytes"]),
        number(scores["latency_ms"], 2),
        number(row["fit_seconds"]),
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else number(100 * share)


def _plot(rows: Sequence[ResultRow], words: Words) -> str:
    bubbles = []
    for row in rows:
        kind = "teacher" if row["without"] is None else "student"
        name = row["student"] if kind == "teacher" else f"{row['student']} ← {row['teacher']}"
        accuracy = 100 * row["scores"]["accuracy"]["value"]
        label = name if kind == "teacher" else ""
        title = f"{name}: {number(accuracy)} %, {size(row['scores']['bytes'])}"
        bubbles.append(Bubble(kind, label, float(row["scores"]["bytes"] or 1), accuracy, 0.0, title))
    return f'<figure class="wide">{scatter(bubbles, words["bytes"], words["accuracy"], words["plot"])}</figure>'
