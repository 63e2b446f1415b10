"""What a plan says, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distilmt.report.format import MISSING, number, signed

NAMES = {"bleu": "BLEU", "chrf": "chrF"}

WORDS = {
    "en": {
        "title": "Plan",
        "table": "How much text, and what it costs",
        "heads": "sentences,{metric},gain,cross-entropy,labelling,bytes of labels,training,passes",
        "price": "price",
        "curve": "The learning curve",
        "curve_note": "{metric} on the validation sentences. Dots: students that were trained; line and band: the "
        "law and between which bounds it lies with a probability of {level} %; beyond the upright "
        "line is more text than there is.",
        "measured": "What was trained",
        "measured_heads": "sentences,updates,seed,BLEU,chrF,cross-entropy,seconds",
        "enough": "Label {sentences} of {total} sentences: past that, doubling the text gains less than "
        "{worth} {metric}",
        "smallest": "{sentences} of {total} sentences are enough: even there doubling the text gains less than "
        "{worth} {metric}",
        "all": "Label all {total} sentences: doubling the text gains {worth} {metric} or more up to there",
        "nothing": "Nothing can be said yet: after {updates} updates no student has learnt much ({bleu} BLEU at best); "
        "give it more --minutes or --max_steps",
        "bounds": "The size lies between {low} and {high} with a probability of {level} %; that all {total} "
        "are worth it, with {chance} %.",
        "lost": "What is left out would bring {lost} {metric}.",
        "further": "Twice as much text of this kind as there is would bring {beyond} {metric}, if the law holds "
        "that far.",
        "more_updates": "More updates are what is lacking: the last doubling of the updates brought {updates} "
        "{metric}, the last doubling of the text {text} (at {size} sentences).",
        "more_text": "More text is what is lacking: the last doubling of the text brought {text} {metric}, the "
        "last doubling of the updates {updates} (at {size} sentences).",
        "more_either": "Doubling the updates brought {updates} {metric}, doubling the text {text} (at {size} "
        "sentences): which is lacking more cannot be told.",
        "law": "Law: {metric} = {a} − {b} · d^−{c}, where d is what the sentences are worth by how often they are "
        "seen; a training scatters by {noise} around it.",
        "table_note": "{metric} and cross-entropy (nats a token of the references) on the validation sentences, "
        "after {updates} updates on each size; in brackets between which bounds they lie with a "
        "probability of {level} %. gain: over the line above. training: the run's student at its "
        "{run_updates} updates, whatever the size (its baseline as long again); passes: how often "
        "these see every sentence. * more text than there is.",
        "shorter": "These students made {updates} updates, the run's is to make {run_updates}: scores will be "
        "higher, and more text gains more in longer trainings. Take the size as the least.",
        "unseen": "{updates} updates see all the text only {passes} times: what a second look at a sentence is "
        "worth is not in these figures. More --minutes or --max_steps tell better.",
        "three": "Three trainings do not tell a curve from a line, nor noise from either: the bounds are "
        "mostly what is usual. Add --seeds 1,2 or --minutes.",
        "beyond": "What stands at sizes above the biggest that was trained on is an extrapolation; above the "
        "text there is, one that supposes more text of the very same kind.",
        "made": "distilmt {version}, {date}",
    },
    "zh": {
        "title": "数据规划",
        "table": "需要多少文本，代价如何",
        "heads": "句数,{metric},增益,交叉熵,标注时间,标注字节,训练时间,遍数",
        "price": "费用",
        "curve": "学习曲线",
        "curve_note": "验证集 {metric}。圆点：实际训练的学生模型；曲线和色带：拟合的规律及其 {level}% 概率区间；"
        "竖线右侧超出现有文本。",
        "measured": "实际训练的模型",
        "measured_heads": "句数,更新次数,种子,BLEU,chrF,交叉熵,秒",
        "enough": "标注 {total} 句中的 {sentences} 句即可：再把文本加倍，增益不到 {worth} {metric}",
        "smallest": "{total} 句中 {sentences} 句已经足够：即使在此规模把文本加倍，增益也不到 {worth} {metric}",
        "all": "建议标注全部 {total} 句：在此之前，文本加倍的增益不低于 {worth} {metric}",
        "nothing": "还无法判断：{updates} 次更新之后，学生模型几乎什么都没学到（BLEU 最高 {bleu}）；"
        "请增加 --minutes 或 --max_steps",
        "bounds": "该规模以 {level}% 的概率介于 {low} 与 {high} 之间；全部 {total} 句都值得标注的概率为 {chance}%。",
        "lost": "未标注的部分还能带来 {lost} {metric}。",
        "further": "如果规律延续，同类文本比现有的再多一倍，可再提高 {beyond} {metric}。",
        "more_updates": "缺的是更新次数：最近一次更新次数加倍带来 {updates} {metric}，最近一次文本加倍带来 "
        "{text}（{size} 句时）。",
        "more_text": "缺的是文本：最近一次文本加倍带来 {text} {metric}，最近一次更新次数加倍带来 "
        "{updates}（{size} 句时）。",
        "more_either": "更新次数加倍带来 {updates} {metric}，文本加倍带来 {text}（{size} 句时）：无法判断更缺哪一个。",
        "law": "规律：{metric} = {a} − {b} · d^−{c}，d 为按重复次数折算的句数；单次训练围绕它的波动为 {noise}。",
        "table_note": "验证集上的 {metric} 与交叉熵（参考译文每个词元的奈特数），每种规模均训练 {updates} 次更新；"
        "方括号内为 {level}% 概率区间。增益：相对上一行。训练时间：正式运行的学生模型训练 "
        "{run_updates} 次更新所需时间，与规模无关（基线另需同样时间）；遍数：其间每句被看到的次数。* "
        "超出现有文本。",
        "shorter": "这些学生模型只训练了 {updates} 次更新，正式运行为 {run_updates} 次：分数会更高，训练越久，"
        "更多文本的增益越大。所给规模应视为下限。",
        "unseen": "{updates} 次更新只能把全部文本看 {passes} 遍：重复看同一句的价值未体现在这些数字里。增加 "
        "--minutes 或 --max_steps 会更准。",
        "three": "三次训练无法区分曲线、直线与噪声：区间主要来自通常的经验值。可增加 --seeds 1,2 或 --minutes。",
        "beyond": "大于最大训练规模的数值均为外推；超出现有文本的部分还假定新文本与现有文本完全同类。",
        "made": "distilmt {version}，{date}",
    },
}
Words = Mapping[str, str]


def metric(plan: Mapping[str, Any]) -> str:
    """Name of the metric that was asked for."""
    return NAMES[plan["metric"]]


def bounds(value: list[float] | None, digits: int = 2, write: Any = number) -> str:
    """`31.20 [30.80, 31.70]`."""
    if value is None:
        return ""
    guess, low, high = (write(v, digits) for v in value)
    return f"{guess} [{low}, {high}]"


def signed_bounds(value: list[float] | None) -> str:
    """The same with signs."""
    return bounds(value, write=signed)


def headline(plan: Mapping[str, Any], words: Words) -> str:
    """How much is to be labelled."""
    row = plan["recommended"]
    if not plan["learnt"]:
        best = max(point["bleu"] for point in plan["points"])
        return words["nothing"].format(bleu=number(best), updates=number(plan["updates"], 0))
    name = "all" if row["all"] else "smallest" if row["smallest"] else "enough"
    return words[name].format(
        sentences=number(row["sentences"], 0),
        total=number(plan["total"], 0),
        worth=f"{plan['worth']:g}",
        metric=metric(plan),
    )


def findings(plan: Mapping[str, Any], words: Words) -> list[str]:
    """How sure that is, what it leaves out, and what else is lacking."""
    if not plan["learnt"]:
        return []
    row, level = plan["recommended"], f"{100 * plan['level']:g}"
    low, high = (number(value, 0) for value in row["interval"])
    total, chance = number(plan["total"], 0), f"{100 * row['chance_of_all']:.0f}"
    sentences = [words["bounds"].format(low=low, high=high, level=level, total=total, chance=chance)]
    if row["all"]:
        sentences.append(words["further"].format(beyond=signed_bounds(row["beyond"]), metric=metric(plan)))
    else:
        sentences.append(words["lost"].format(lost=signed_bounds(row["lost"]), metric=metric(plan)))
    more = plan["more"]
    if more:
        chance = more["chance_of_updates"]
        name = "updates" if chance > plan["level"] else "text" if chance < 1 - plan["level"] else "either"
        figures = {
            "updates": signed_bounds(more["updates"]),
            "text": signed_bounds(more["text"]),
            "size": number(more["size"], 0),
        }
        sentences.append(words[f"more_{name}"].format(metric=metric(plan), **figures))
    return sentences


def notes(plan: Mapping[str, Any], words: Words) -> list[str]:
    """What to beware of."""
    shown = {"updates": 0, "run_updates": 0, "passes": 1}
    return [
        words[note["name"]].format(**{key: number(note[key], d) for key, d in shown.items() if key in note})
        for note in plan["notes"]
    ]


def law(plan: Mapping[str, Any], words: Words) -> str:
    """The law that was fitted."""
    values = {key: f"{value:.4g}" for key, value in plan["law"].items()}
    return words["law"].format(metric=metric(plan), noise=number(plan["noise"], 2), **values)


def price(value: float | None) -> str:
    """Money, in whatever currency was given."""
    return MISSING if value is None else number(value, 2)
