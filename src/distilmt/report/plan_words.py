"""The texts of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distilmt.report.format import MISSING, number, signed

NAMES = {"bleu": "BLEU", "chrf": "chrF"}

WORDS = {
    "en": {
        "title": "Plan",
        "table": "Amount of text and cost",
        "heads": "sentences,{metric},gain,cross-entropy,labeling,bytes of labels,training,epochs",
        "price": "price",
        "curve": "The learning curve",
        "curve_note": "{metric} on the validation set. Dots: trained students; line and band: the fitted law and its "
        "{level} % interval; to the right of the vertical line: more text than available.",
        "measured": "Trained students",
        "measured_heads": "sentences,updates,seed,BLEU,chrF,cross-entropy,seconds",
        "enough": "Label {sentences} of {total} sentences: beyond that, doubling the text gains less than "
        "{worth} {metric}",
        "smallest": "{sentences} of {total} sentences are enough: even at this size, doubling the text gains less than "
        "{worth} {metric}",
        "all": "Label all {total} sentences: up to there, doubling the text gains at least {worth} {metric}",
        "nothing": "No recommendation yet: after {updates} updates no student has learned enough (best: {bleu} BLEU): "
        "increase --minutes or --max_steps",
        "bounds": "The size is between {low} and {high} with a probability of {level} %; labeling all {total} is "
        "justified with a probability of {chance} %.",
        "lost": "The sentences left out would gain {lost} {metric}.",
        "further": "Twice the available text, of the same kind, would gain {beyond} {metric}, if the law holds "
        "that far.",
        "more_updates": "More updates help most: the last doubling of the updates gained {updates} "
        "{metric}, the last doubling of the text {text} (at {size} sentences).",
        "more_text": "More text helps most: the last doubling of the text gained {text} {metric}, the "
        "last doubling of the updates {updates} (at {size} sentences).",
        "more_either": "Doubling the updates gained {updates} {metric}, doubling the text {text} (at {size} "
        "sentences): it is unclear which helps more.",
        "law": "Law: {metric} = {a} − {b} · d^−{c}, where d is the number of sentences discounted by repetition; "
        "standard deviation of a training: {noise}.",
        "table_note": "{metric} and cross-entropy (nats per token of the references) on the validation set, "
        "after {updates} updates for each size; in brackets the {level} % interval. gain: over the row above. "
        "training: the run's student with its {run_updates} updates, independent of the size (its baseline needs the "
        "same again); epochs: how often it sees every sentence. * more text than available.",
        "shorter": "These students ran {updates} updates, the run's student will run {run_updates}: its scores will be "
        "higher, and more text gains more in longer trainings. The size is a lower bound.",
        "unseen": "{updates} updates see the whole text only {passes} times: these figures do not include the value of "
        "repetitions. Increase --minutes or --max_steps for better estimates.",
        "three": "Three trainings cannot separate a curve, a line and noise: the bounds mostly reflect the prior. Add "
        "--seeds 1,2 or increase --minutes.",
        "beyond": "Values above the biggest trained size are extrapolated; above the available text they assume more "
        "text of the same kind.",
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
    """Display name of the metric."""
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
    """The recommended size."""
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
    """Its uncertainty, the remaining gain, and whether text or updates help more."""
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
    """Warnings."""
    shown = {"updates": 0, "run_updates": 0, "passes": 1}
    return [
        words[note["name"]].format(**{key: number(note[key], d) for key, d in shown.items() if key in note})
        for note in plan["notes"]
    ]


def law(plan: Mapping[str, Any], words: Words) -> str:
    """The fitted law."""
    values = {key: f"{value:.4g}" for key, value in plan["law"].items()}
    return words["law"].format(metric=metric(plan), noise=number(plan["noise"], 2), **values)


def price(value: float | None) -> str:
    """Cost, in the currency of the given price."""
    return MISSING if value is None else number(value, 2)
