"""Findings of a run, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

from distilmt.config.renamed import translated
from distilmt.report.differences import (
    ScoreDifference,
    by_name,
    deployed_system,
    difference,
    ratio,
    speed,
    teacher_system,
)
from distilmt.report.format import number, number_or_none, p_value, signed
from distilmt.report.languages import Translation, named
from distilmt.report.schema import RunReport, System

MANY_DROPPED = 0.3
"""Share of dropped hypotheses above which a report does not measure distillation."""


def headline(report: RunReport, _: Translation) -> str:
    """One sentence: size, speed and quality of the student compared with the teacher."""
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student is None or teacher is None:
        return _("There are no student and teacher to compare.")
    versus, quality = _versus(report, student, teacher, _), _quality(report, student, teacher, _)
    sentence = _("%(comparison)s; %(quality)s.", comparison=versus, quality=quality)
    return sentence[0].upper() + sentence[1:]


def findings(report: RunReport, _: Translation) -> list[str]:
    """Further sentences: agreement of chrF, effect of distillation, and of quantization alone."""
    sentences = [] if _has_references(report) else [_agreement(_)]
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student and teacher:
        sentences.append(_disagreement(report, student, teacher, _))
    if student:
        sentences.append(_distillation(report, _))
    sentences += [_quantization(report, _), weak_teacher(report, _)]
    return [sentence for sentence in sentences if sentence]


def weak_teacher(report: RunReport, _: Translation) -> str:
    """A warning if the run trained its teacher for so short a time that it is not better than the student; or empty."""
    settings = _configured(report, "teacher")
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    row = difference(report, student, teacher) if student and teacher else None
    if any(settings.get(key) for key in ("path", "command", "url")) or row is None or row.change < 0:
        return ""
    return _(
        "The teacher is not better than its student: the time was too short to train it, so this run shows little of "
        "distillation. Distill a model that exists, or train the teacher longer."
    )


def _has_references(report: RunReport) -> bool:
    """Whether the references are not the teacher's own translations."""
    corpus = _configured(report, "corpus")
    return not corpus.get("monolingual") or any(corpus.get(key) for key in ("train", "dataset", "sources"))


def _configured(report: RunReport, section: str) -> Mapping[str, object]:
    """A section of the run's configuration, with today's names."""
    values = translated(dict(report["config"])).get(section)
    return values if isinstance(values, Mapping) else {}


def _agreement(_: Translation) -> str:
    return _(
        "There are no references: the teacher's own translations are used instead, so all scores measure agreement "
        "with the teacher."
    )


def comparatives(system: System, other: System, _: Translation) -> tuple[list[str], bool]:
    """Relative size and speed of a system, and whether all parts are comparatives ("-er than")."""
    size, pace = ratio(other.get("file_bytes"), system.get("file_bytes")), ratio(speed(system), speed(other))
    parts = [_relative_size(size, _)] if size else []
    parts += [_relative_speed(pace, _)] if pace else []
    return parts, all(not _about_equal(value) for value in (size, pace) if value)


def _about_equal(value: float) -> bool:
    return 1 / 1.05 < value < 1.05


def _relative_size(value: float, _: Translation) -> str:
    if _about_equal(value):
        return _("about as big")
    times = number(max(value, 1 / value), 1)
    return _("%(ratio)s times smaller", ratio=times) if value > 1 else _("%(ratio)s times bigger", ratio=times)


def _relative_speed(value: float, _: Translation) -> str:
    if _about_equal(value):
        return _("about as fast")
    times = number(max(value, 1 / value), 1)
    return _("%(ratio)s times faster", ratio=times) if value > 1 else _("%(ratio)s times slower", ratio=times)


def _joined(parts: list[str], _: Translation) -> str:
    return parts[0] if len(parts) == 1 else _("%(first)s and %(second)s", first=parts[0], second=parts[1])


def _versus(report: RunReport, subject: str, other: str, _: Translation) -> str:
    systems = by_name(report)
    parts, are_comparatives = comparatives(systems[subject], systems[other], _)
    names = {"subject": named(subject, _), "object": named(other, _)}
    if not parts:
        return names["subject"]
    if are_comparatives:
        return _("%(subject)s is %(parts)s than %(object)s", parts=_joined(parts, _), **names)
    return _("Compared with %(object)s, %(subject)s is %(parts)s", parts=_joined(parts, _), **names)


def _quality(report: RunReport, student: str, teacher: str, _: Translation) -> str:
    row = difference(report, student, teacher)
    if row is None:
        return _("its quality was not measured")
    if row.is_significant is False:
        values = {"difference": signed(row.change), "interval": _interval(row, _)}
        return _("its BLEU is not measurably different (%(difference)s; %(interval)s)", **values)
    points = _points(row.change)
    if row.change < 0:
        return _("it lost %(points)s BLEU (%(interval)s)", points=points, interval=_interval(row.reversed(), _))
    return _("it gained %(points)s BLEU (%(interval)s)", points=points, interval=_interval(row, _))


def _disagreement(report: RunReport, student: str, teacher: str, _: Translation) -> str:
    """A note if BLEU and chrF disagree on gain or loss."""
    bleu, chrf = difference(report, student, teacher, "bleu"), difference(report, student, teacher, "chrf")
    if bleu is None or chrf is None or not chrf.is_significant or bleu.change * chrf.change >= 0:
        return ""
    names = {"student": named(student, _), "teacher": named(teacher, _)}
    if chrf.change < 0:
        return _(
            "chrF disagrees with BLEU: in chrF, %(student)s is %(points)s worse than %(teacher)s (%(interval)s).",
            points=_points(chrf.change),
            interval=_interval(chrf.reversed(), _),
            **names,
        )
    return _(
        "chrF disagrees with BLEU: in chrF, %(student)s is %(points)s better than %(teacher)s (%(interval)s).",
        points=_points(chrf.change),
        interval=_interval(chrf, _),
        **names,
    )


def _distillation(report: RunReport, _: Translation) -> str:
    pair = _same_kind(report)
    row = difference(report, *pair) if pair else None
    if pair is None or row is None:
        return _("It is unknown whether distillation helped: no baseline was trained without the teacher.")
    sentences, dropped = (_label_count(report, key) for key in ("sentences", "hypotheses_dropped"))
    if dropped > MANY_DROPPED * sentences:
        # Student and baseline then have the same training data: their difference does not measure distillation.
        return _(
            "%(dropped)s of the teacher's %(sentences)s translations were dropped, so student and baseline were "
            "trained on mostly the same data: their difference does not measure distillation.",
            dropped=number(dropped, 0),
            sentences=number(sentences, 0),
        )
    text = _effect(row, named(pair[0], _), _)
    text = text[0].upper() + text[1:]
    # The student got two things from the teacher: its labels, and its initial layers.
    if _configured(report, "student").get("initialization", "random") == "random":
        return text
    return _(
        "%(finding)s A part of this difference is due to initialization: the student started with layers of the "
        "teacher, the other model with random weights.",
        finding=text,
    )


def _effect(row: ScoreDifference, student: str, _: Translation) -> str:
    """The effect of distillation, from the student's difference to the baseline."""
    points = _points(row.change)
    if row.is_significant is None:
        return _(
            "%(student)s differs by %(difference)s BLEU from the same model trained equally long without the teacher "
            "(%(interval)s).",
            student=student,
            difference=signed(row.change),
            interval=_interval(row, _),
        )
    if not row.is_significant:
        return _(
            "Distillation made no measurable difference: %(student)s differs by %(difference)s BLEU from the same "
            "model trained equally long without the teacher (%(interval)s).",
            student=student,
            difference=signed(row.change),
            interval=_interval(row, _),
        )
    if row.change > 0:
        return _(
            "Distillation helped: %(student)s scores %(points)s BLEU more than the same model trained equally long "
            "without the teacher (%(interval)s).",
            student=student,
            points=points,
            interval=_interval(row, _),
        )
    return _(
        "Distillation was harmful: %(student)s scores %(points)s BLEU less than the same model trained equally long "
        "without the teacher (%(interval)s).",
        student=student,
        points=points,
        interval=_interval(row.reversed(), _),
    )


def _label_count(report: RunReport, key: str) -> float:
    return number_or_none(report["labels"].get(key)) or 0.0


def _same_kind(report: RunReport) -> tuple[str, str] | None:
    """Student and baseline, both int8 or both float32."""
    systems = by_name(report)
    pairs = [("student-int8", "baseline-int8"), ("student", "baseline")]
    return next(((a, b) for a, b in pairs if a in systems and b in systems), None)


def _quantization(report: RunReport, _: Translation) -> str:
    systems = by_name(report)
    if not {"teacher", "teacher-int8"} <= systems.keys():
        return ""
    row = difference(report, "teacher-int8", "teacher")
    parts, _mixed = comparatives(systems["teacher-int8"], systems["teacher"], _)
    if row is None or not parts:
        return ""
    values = {"parts": _joined(parts, _), "difference": signed(row.change)}
    return _("Only quantizing the teacher to int8 makes it %(parts)s, for %(difference)s BLEU.", **values)


def _points(change: float) -> str:
    """Absolute value; small changes with two digits, so that none becomes 0.0."""
    return number(abs(change), 1 if abs(change) >= 0.1 else 2)


def _interval(row: ScoreDifference, _: Translation) -> str:
    """Evidence for a difference: 95 % interval and p, as far as known."""
    if row.p_value is None:
        return _("significance was not tested")
    if row.is_too_low:
        return _("both scores are too low to be compared")
    if row.interval is None:
        return p_value(row.p_value)
    low, high = row.interval
    values = {"low": number(low), "high": number(high), "p": p_value(row.p_value)}
    return _("95%% interval %(low)s to %(high)s, %(p)s", **values)
