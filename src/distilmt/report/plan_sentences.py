"""A plan in sentences: the recommendation, its uncertainty, and warnings."""

from __future__ import annotations

from collections.abc import Callable

from distilmt.report.format import number, signed
from distilmt.report.languages import Translation
from distilmt.report.plan_schema import Estimate, LastDoubling, Plan, PlanNote
from distilmt.report.tables import METRICS


def metric(plan: Plan) -> str:
    """Name of the metric for readers."""
    return METRICS[plan["metric"]]


def estimate(value: Estimate | None, digits: int = 2, write: Callable[[float, int], str] = number) -> str:
    """`31.20 [30.80, 31.70]`."""
    if value is None:
        return ""
    middle, low, high = (write(v, digits) for v in value)
    return f"{middle} [{low}, {high}]"


def signed_estimate(value: Estimate | None) -> str:
    """The same with signs."""
    return estimate(value, write=signed)


def headline(plan: Plan, _: Translation) -> str:
    """The recommended size."""
    row = plan["recommended"]
    if not plan["learned"]:
        return _(
            "No recommendation yet: after %(updates)s updates no student has learned enough (best: %(bleu)s BLEU): "
            "increase --minutes or --max_steps",
            bleu=number(max(point["bleu"] for point in plan["points"])),
            updates=number(plan["updates"], 0),
        )
    values = {
        "sentences": number(row["sentences"], 0),
        "total": number(plan["total"], 0),
        "worth": f"{plan['worth']:g}",
        "metric": metric(plan),
    }
    if row["all"]:
        return _(
            "Label all %(total)s sentences: up to there, doubling the text gains at least %(worth)s %(metric)s",
            **values,
        )
    if row["smallest"]:
        return _(
            "%(sentences)s of %(total)s sentences are enough: even at this size, doubling the text gains less than "
            "%(worth)s %(metric)s",
            **values,
        )
    return _(
        "Label %(sentences)s of %(total)s sentences: beyond that, doubling the text gains less than %(worth)s "
        "%(metric)s",
        **values,
    )


def findings(plan: Plan, _: Translation) -> list[str]:
    """Its uncertainty, the remaining gain, and whether text or updates help more."""
    if not plan["learned"]:
        return []
    sentences = [_uncertainty(plan, _), _remaining_gain(plan, _)]
    return [*sentences, _last_doubling(plan, plan["more"], _)] if plan["more"] else sentences


def _uncertainty(plan: Plan, _: Translation) -> str:
    row = plan["recommended"]
    low, high = (number(value, 0) for value in row["interval"])
    return _(
        "The size is between %(low)s and %(high)s with a probability of %(level)s %%; labeling all %(total)s is "
        "justified with a probability of %(chance)s %%.",
        low=low,
        high=high,
        level=f"{100 * plan['level']:g}",
        total=number(plan["total"], 0),
        chance=f"{100 * row['chance_of_all']:.0f}",
    )


def _remaining_gain(plan: Plan, _: Translation) -> str:
    row = plan["recommended"]
    if row["all"]:
        return _(
            "Twice the available text, of the same kind, would gain %(beyond)s %(metric)s, if the law holds that far.",
            beyond=signed_estimate(row["beyond"]),
            metric=metric(plan),
        )
    lost = signed_estimate(row["lost"])
    return _("The sentences left out would gain %(lost)s %(metric)s.", lost=lost, metric=metric(plan))


def _last_doubling(plan: Plan, more: LastDoubling, _: Translation) -> str:
    values = {
        "updates": signed_estimate(more["updates"]),
        "text": signed_estimate(more["text"]),
        "size": number(more["size"], 0),
        "metric": metric(plan),
    }
    if more["chance_of_updates"] > plan["level"]:
        return _(
            "More updates help most: the last doubling of the updates gained %(updates)s %(metric)s, the last doubling "
            "of the text %(text)s (at %(size)s sentences).",
            **values,
        )
    if more["chance_of_updates"] < 1 - plan["level"]:
        return _(
            "More text helps most: the last doubling of the text gained %(text)s %(metric)s, the last doubling of the "
            "updates %(updates)s (at %(size)s sentences).",
            **values,
        )
    return _(
        "Doubling the updates gained %(updates)s %(metric)s, doubling the text %(text)s (at %(size)s sentences): it is "
        "unclear which helps more.",
        **values,
    )


def notes(plan: Plan, _: Translation) -> list[str]:
    """Warnings."""
    return [_note(note, _) for note in plan["notes"]]


def _note(note: PlanNote, _: Translation) -> str:
    if note["name"] == "shorter":
        return _(
            "These students ran %(updates)s updates, the run's student will run %(run_updates)s: its scores will be "
            "higher, and more text gains more in longer trainings. The size is a lower bound.",
            updates=number(note["updates"], 0),
            run_updates=number(note["run_updates"], 0),
        )
    if note["name"] == "unseen":
        return _(
            "%(updates)s updates see the whole text only %(passes)s times: these figures do not include the value of "
            "repetitions. Increase --minutes or --max_steps for better estimates.",
            updates=number(note["updates"], 0),
            passes=number(note["passes"], 1),
        )
    if note["name"] == "three":
        return _(
            "Three trainings cannot separate a curve, a line and noise: the bounds mostly reflect the prior. Add "
            "--seeds 1,2 or increase --minutes."
        )
    return _(
        "Values above the biggest trained size are extrapolated; above the available text they assume more text of the "
        "same kind."
    )


def law(plan: Plan, _: Translation) -> str:
    """The fitted law."""
    return _(
        "Law: %(metric)s = %(a)s − %(b)s · d^−%(c)s, where d is the number of sentences discounted by repetition; "
        "standard deviation of a training: %(noise)s.",
        metric=metric(plan),
        noise=number(plan["noise"], 2),
        **{key: f"{value:.4g}" for key, value in plan["law"].items()},
    )
