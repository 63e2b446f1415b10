"""The page of an ablation: the quality constraint, every change and its cost, and all candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distilmt.report.challenge_section import challenge_table
from distilmt.report.format import escape, number, signed, size
from distilmt.report.languages import words_for
from distilmt.report.layout import (
    Page,
    in_language,
    note,
    page_title,
    plain_table,
    provenance,
    render_page,
    sections,
    tile,
)
from distilmt.report.plots import Bubble, scatter

_METRICS = {"bleu": "BLEU", "chrf": "chrF"}
_WORDS = {
    "en": {
        "title": "Ablation",
        "change": "Change",
        "heads": "beam,BLEU,against teacher,chrF,against teacher,size,÷,ms,×,sent/s,memory,mJ",
        "budget": "From the teacher to the shipped model",
        "note": "Measured on the test set, which is not used for selection. Each row adds one change to the row above; "
        "the baseline is for comparison. Against teacher: difference, 95 % interval and p of a paired bootstrap. Size: "
        "all shipped files; ÷ and ×: times smaller and faster than the teacher. ms: median of single sentences "
        "on one thread; sent/s: in batches of 64 on one thread; mJ: energy of the whole processor per sentence, "
        "where available. All are timed in turn.",
        "quality": "Quality and size",
        "quality_note": "BLEU on the test set over bytes. Bigger circles: more milliseconds per sentence. Point at a "
        "circle for its name.",
        "bytes": "bytes",
        "health": "Challenge sets",
        "health_note": "The shipped model and the teacher on the same inputs; it fails a set if it is significantly "
        "worse than the teacher.",
        "tried": "All candidates",
        "tried_note": "{metric} on the validation set over bytes; the constraint is at least {floor}. The shipped "
        "model is labeled; point at the others for their names.",
        "kept": "The {goal} that meets the quality constraint: {name}",
        "missed": "No candidate meets the quality constraint; the closest: {name}",
        "change_of": "{change} {metric} against the {against} on the validation set; the limit is a loss of {allowed}.",
        "smallest": "smallest",
        "fastest": "fastest",
        "teacher": "teacher",
        "student": "student",
        "tile_size": "Size",
        "tile_speed": "Milliseconds per sentence",
        "tile_quality": "BLEU, test",
        "tile_teacher": "teacher {value}",
        "signature": "Signature of the student",
        "made": "distilmt {version}, {date}",
    },
    "zh": {
        "title": "消融分析",
        "change": "改动",
        "heads": "束宽,BLEU,与教师相比,chrF,与教师相比,大小,÷,毫秒,×,句/秒,内存,毫焦",
        "budget": "从教师到最终交付的模型",
        "note": "在测试集上测得，测试集不参与任何选择。每一行是在上一行的基础上再加一个改动；基线列在旁边作对照。"
        "与教师相比：差值、95% 置信区间和配对自助法的 p 值。大小：交付的全部文件；÷ 和 ×：比教师小多少倍、快多少倍。"
        "毫秒：单线程逐句翻译的中位数；句/秒：单线程，每批 64 句；"
        "毫焦：整个处理器每句的能耗（机器能读出时）。各系统轮流计时。",
        "quality": "质量与大小",
        "quality_note": "测试集 BLEU 与字节数。圆越大，每句所需毫秒越多。没有标名的圆，指向它时显示名称。",
        "bytes": "字节",
        "health": "分数看不出的问题",
        "health_note": "交付的模型与教师面对同样的输入；只有明显比教师差才算不通过。",
        "tried": "尝试过的全部组合",
        "tried_note": "验证集 {metric} 与字节数；质量约束的下限是 {floor}。标名的是最终交付的组合；"
        "其余的指向时显示名称。",
        "kept": "满足质量约束的{goal}模型：{name}",
        "missed": "尝试过的组合都不满足质量约束；最接近的是：{name}",
        "change_of": "在验证集上与{against}相比 {change} {metric}；允许损失 {allowed}。",
        "smallest": "最小",
        "fastest": "最快",
        "teacher": "教师",
        "student": "学生",
        "tile_size": "大小",
        "tile_speed": "每句毫秒",
        "tile_quality": "测试集 BLEU",
        "tile_teacher": "教师 {value}",
        "signature": "学生模型的制作方式",
        "made": "distilmt {version}，{date}",
    },
}
Words = Mapping[str, str]


def render(ablation: Mapping[str, Any], rows: Sequence[Sequence[str]]) -> str:
    """The page as HTML.

    Args:
        ablation: what `report.budget.build` gave.
        rows: of the table.

    Raises:
        UserError: it cannot be written in that language (`en` and `zh` can).
    """
    words = in_language(_WORDS, ablation["language"])
    metric = _METRICS[ablation["metric"]]
    tried = words["tried_note"].format(metric=metric, floor=number(ablation["floor"], 2))
    heads = (words["change"], *words["heads"].split(","))
    parts = [
        (words["budget"], plain_table(heads, rows, words["budget"]) + note(words["note"])),
        (words["quality"], _stages(ablation, words) + note(words["quality_note"])),
        (words["health"], _health(ablation, words)),
        (words["tried"], _points(ablation, words) + note(tried)),
        (words["signature"], f"<p><code>{escape(ablation['signature'])}</code></p>"),
    ]
    page = Page(
        language=ablation["language"],
        title=page_title(ablation, words),
        headline=_headline(ablation, words),
        findings=f"<li>{escape(_change(ablation, words))}</li>",
        tiles=_tiles(ablation, words),
        sections=sections(parts),
        provenance=provenance(ablation, words),
    )
    return render_page(page)


def _health(ablation: Mapping[str, Any], words: Words) -> str:
    table = challenge_table(ablation, words_for(ablation["language"]))
    return table and table + note(words["health_note"])


def _headline(ablation: Mapping[str, Any], words: Words) -> str:
    template = words["kept" if ablation["kept"] else "missed"]
    return template.format(goal=words[ablation["goal"]], name=ablation["chosen"]["name"])


def _change(ablation: Mapping[str, Any], words: Words) -> str:
    change = ablation["chosen"]["score"] - ablation["floor"] - ablation["max_drop"]
    return words["change_of"].format(
        change=signed(change, 2),
        metric=_METRICS[ablation["metric"]],
        against=words[ablation["against"]],
        allowed=f"{ablation['max_drop']:g}",
    )


def _tiles(ablation: Mapping[str, Any], words: Words) -> str:
    """Size, speed and quality of the shipped model and the teacher."""
    first, last = ablation["stages"][0], [stage for stage in ablation["stages"] if stage["taken"]][-1]
    slow, fast = (stage["speed"]["latency_ms"]["p50"] for stage in (first, last))
    bleu = [stage["scores"]["bleu"] for stage in (first, last)]
    tiles = [
        ("size", size(last["bytes"]), f"÷{number(first['bytes'] / last['bytes'])}", size(first["bytes"])),
        ("speed", number(fast, 2), f"×{number(slow / fast)}", number(slow, 2)),
        ("quality", number(bleu[1], 2), signed(bleu[1] - bleu[0], 2), number(bleu[0], 2)),
    ]
    return "".join(
        tile(words[f"tile_{name}"], value, change, words["tile_teacher"].format(value=other))
        for name, value, change, other in tiles
    )


def _stages(ablation: Mapping[str, Any], words: Words) -> str:
    stages = ablation["stages"]
    shipped = [stage for stage in stages if stage["taken"]][-1]
    bubbles = [
        Bubble(
            name=stage["label"],
            # Labels of small changes would overlap.
            label=stage["label"] if stage["label"] in ("teacher", "baseline", "student") or stage is shipped else "",
            x=float(stage["bytes"]),
            y=stage["scores"]["bleu"],
            area=stage["speed"]["latency_ms"]["p50"],
            title=f"{stage['label']}: {number(stage['scores']['bleu'], 2)} BLEU, {size(stage['bytes'])}",
        )
        for stage in stages
    ]
    return f'<figure class="wide">{scatter(bubbles, words["bytes"], "BLEU", words["quality"])}</figure>'


def _points(ablation: Mapping[str, Any], words: Words) -> str:
    bubbles = [
        Bubble(
            name="student" if point["name"] == ablation["chosen"]["name"] else "other",
            label=point["name"] if point["name"] == ablation["chosen"]["name"] else "",
            x=float(point["bytes"]),
            y=point["score"],
            area=0.0,
            title=f"{point['name']}: {number(point['score'], 2)}, {size(point['bytes'])}",
        )
        for point in ablation["points"]
    ]
    plot = scatter(bubbles, words["bytes"], _METRICS[ablation["metric"]], words["tried"])
    return f'<figure class="wide">{plot}</figure>'
