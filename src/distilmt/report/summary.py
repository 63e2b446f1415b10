"""Findings of a run, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distilmt.config.renamed import translated
from distilmt.report.format import number, number_or_none, p_value, signed
from distilmt.report.languages import Words, named

SIGNIFICANT = 0.05
MANY_DROPPED = 0.3
"""Share of dropped hypotheses above which a report does not measure distillation."""


def by_name(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The report's systems by name."""
    return {system["name"]: system for system in report.get("systems") or []}


def deployed_system(report: Mapping[str, Any], base: str) -> str | None:
    """The int8 system of a kind (`student`, `baseline`), or else the float32 one, or else None."""
    systems = by_name(report)
    return next((name for name in (f"{base}-int8", base) if name in systems), None)


def teacher_system(report: Mapping[str, Any]) -> str | None:
    """The float32 teacher, or else its int8 export, or else None."""
    systems = by_name(report)
    return next((name for name in ("teacher", "teacher-int8") if name in systems), None)


def headline(report: Mapping[str, Any], words: Words) -> str:
    """One sentence: size, speed and quality of the student compared with the teacher."""
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student is None or teacher is None:
        return words["nothing"]
    facts = [_versus(report, student, teacher, words), _quality(report, student, teacher, words)]
    sentence = words["clause"].join(fact for fact in facts if fact) + words["stop"]
    return sentence[0].upper() + sentence[1:]


def findings(report: Mapping[str, Any], words: Words) -> list[str]:
    """Further sentences: agreement of chrF, effect of distillation, and of quantization alone."""
    sentences = [] if _has_references(report) else [words["agreement"]]
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student and teacher:
        sentences.append(_disagreement(report, student, teacher, words))
    if student:
        sentences.append(_distillation(report, words))
    sentences.append(_quantisation(report, words))
    return [sentence for sentence in sentences if sentence]


def _has_references(report: Mapping[str, Any]) -> bool:
    """Whether the references are not the teacher's own translations."""
    corpus = translated(report.get("config") or {}).get("corpus") or {}
    return not corpus.get("monolingual") or any(corpus.get(key) for key in ("train", "dataset", "sources"))


def ratio(first: Any, second: Any) -> float | None:
    """First over second, or None if either is missing or not positive."""
    a, b = number_or_none(first), number_or_none(second)
    return a / b if a is not None and b is not None and a > 0 and b > 0 else None


def speed(system: Mapping[str, Any], batch: str = "batch_1") -> float | None:
    """Sentences per second, or None."""
    return number_or_none((system.get("sentences_per_second") or {}).get(batch))


def difference(report: Mapping[str, Any], a: str, b: str, metric: str = "bleu") -> dict[str, Any] | None:
    """a's score minus b's, with `p_value` and `ci` if the two were compared (in either order)."""
    for row in report.get("comparisons") or []:
        if row.get("metric") != metric or number_or_none(row.get("difference")) is None:
            continue
        if (row["a"], row["b"]) == (a, b):
            return dict(row)
        if (row["a"], row["b"]) == (b, a):
            ci = row.get("ci")
            return {**row, "difference": -row["difference"], "ci": [-ci[1], -ci[0]] if ci else None}
    systems = by_name(report)
    scores = [number_or_none(systems.get(name, {}).get(metric)) for name in (a, b)]
    if scores[0] is None or scores[1] is None:
        return None
    return {"difference": scores[0] - scores[1]}


def is_significant(row: Mapping[str, Any]) -> bool | None:
    """Whether a difference is significant; None if not tested."""
    probability = number_or_none(row.get("p_value"))
    return None if probability is None else probability < SIGNIFICANT


def comparatives(system: Mapping[str, Any], other: Mapping[str, Any], words: Words) -> tuple[list[str], bool]:
    """Relative size and speed of a system, and whether all parts are comparatives ("-er than")."""
    ratios = [
        (ratio(other.get("file_bytes"), system.get("file_bytes")), "smaller", "bigger", "same_size"),
        (ratio(speed(system), speed(other)), "faster", "slower", "same_speed"),
    ]
    parts, mixed = [], False
    for value, better, worse, same in ratios:
        if value is None:
            continue
        key = better if value >= 1.05 else worse if value <= 1 / 1.05 else same
        mixed = mixed or key == same
        parts.append(words[key].format(ratio=number(max(value, 1 / value), 1)))
    return parts, mixed


def _versus(report: Mapping[str, Any], subject: str, other: str, words: Words) -> str:
    systems = by_name(report)
    parts, mixed = comparatives(systems[subject], systems[other], words)
    if not parts:
        return named(subject, words)
    template = words["versus_mixed" if mixed else "versus"]
    joined = words["and"].join(parts)
    return template.format(subject=named(subject, words), object=named(other, words), parts=joined)


def _quality(report: Mapping[str, Any], student: str, teacher: str, words: Words) -> str:
    row = difference(report, student, teacher)
    if row is None:
        return words["no_quality"]
    change = row["difference"]
    if is_significant(row) is False:
        evidence = words["clause"] + _interval(row, words)
        return words["unclear"].format(difference=signed(change), evidence=evidence)
    loss = change < 0
    text = words["lost" if loss else "gained"].format(points=_points(change))
    return text + _evidence(row, words, flip=loss)


def _disagreement(report: Mapping[str, Any], student: str, teacher: str, words: Words) -> str:
    """A note if BLEU and chrF disagree on gain or loss."""
    bleu, chrf = (difference(report, student, teacher, metric) for metric in ("bleu", "chrf"))
    if bleu is None or chrf is None or not is_significant(chrf) or bleu["difference"] * chrf["difference"] >= 0:
        return ""
    change = chrf["difference"]
    text = words["chrf_lost" if change < 0 else "chrf_gained"]
    names = {"student": named(student, words), "teacher": named(teacher, words)}
    return text.format(**names, points=_points(change), evidence=_evidence(chrf, words, flip=change < 0))


def _distillation(report: Mapping[str, Any], words: Words) -> str:
    pair = _same_kind(report)
    row = difference(report, *pair) if pair else None
    if pair is None or row is None:
        return words["no_baseline"]
    change, student = row["difference"], named(pair[0], words)
    sentences, dropped = (_label_count(report, key) for key in ("sentences", "hypotheses_dropped"))
    if dropped > MANY_DROPPED * sentences:
        # Student and baseline then have the same training data: their difference does not measure distillation.
        return words["dropped_labels"].format(dropped=number(dropped, 0), sentences=number(sentences, 0))
    certain = is_significant(row)
    key = "helped" if change > 0 else "hurt"
    if not certain:
        key = "no_effect" if certain is False else "unknown_effect"
    evidence = _evidence(row, words, flip=key == "hurt")
    points, with_sign = _points(change), signed(change)
    text = words[key].format(student=student, points=points, difference=with_sign, evidence=evidence)
    # The student got two things from the teacher: its labels, and its initial layers.
    config = translated(report.get("config") or {})
    begun = (config.get("student") or {}).get("initialization", "random") != "random"
    return text[0].upper() + text[1:] + (words["head_start"] if begun else "")


def _label_count(report: Mapping[str, Any], key: str) -> float:
    return number_or_none((report.get("labels") or {}).get(key)) or 0.0


def _same_kind(report: Mapping[str, Any]) -> tuple[str, str] | None:
    """Student and baseline, both int8 or both float32."""
    systems = by_name(report)
    pairs = [("student-int8", "baseline-int8"), ("student", "baseline")]
    return next(((a, b) for a, b in pairs if a in systems and b in systems), None)


def _quantisation(report: Mapping[str, Any], words: Words) -> str:
    systems = by_name(report)
    if not {"teacher", "teacher-int8"} <= systems.keys():
        return ""
    row = difference(report, "teacher-int8", "teacher")
    parts, _ = comparatives(systems["teacher-int8"], systems["teacher"], words)
    if row is None or not parts:
        return ""
    return words["quantised"].format(parts=words["and"].join(parts), difference=signed(row["difference"]))


def _points(change: float) -> str:
    """Absolute value; small changes with two digits, so that none becomes 0.0."""
    return number(abs(change), 1 if abs(change) >= 0.1 else 2)


def _evidence(row: Mapping[str, Any], words: Words, flip: bool = False) -> str:
    return words["evidence"].format(interval=_interval(row, words, flip))


def _interval(row: Mapping[str, Any], words: Words, flip: bool = False) -> str:
    if is_significant(row) is None:
        return words["untested"]
    ci = row.get("ci")
    if not ci or number_or_none(ci[0]) is None or number_or_none(ci[1]) is None:
        return p_value(row["p_value"])
    low, high = (-ci[1], -ci[0]) if flip else ci
    return words["interval"].format(low=number(low), high=number(high), p=p_value(row["p_value"]))
