"""Responses of a language model as teacher, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from distilmt.report.format import number, number_or_none
from distilmt.report.languages import Translation
from distilmt.report.schema import Facts
from distilmt.report.tables import Table

_TOTALS = ("requests", "prompt_tokens", "completion_tokens", "cost")


def without_kinds(labels: Facts) -> Facts:
    """Facts of labels with the totals of requests, tokens and cost among them, and without kinds of responses."""
    usage = _usage(labels)
    if usage is None:
        return labels
    totals = {name: usage[name] for name in _TOTALS if usage.get(name)}
    return {name: value for name, value in labels.items() if name != "usage"} | totals


def responses_table(labels: Facts, _: Translation) -> Table | None:
    """Numbers of responses by kind; None without a language model, or in reports of older versions."""
    usage = _usage(labels)
    if usage is None:
        return None
    total = number_or_none(usage.get("responses")) or 0.0
    counts = {kind: number_or_none(usage.get(kind)) or 0.0 for kind in _kinds(_)}
    rows = [
        (name, number(counts[kind], 0), f"{100 * counts[kind] / total:.1f} %" if total else "")
        for kind, name in _kinds(_).items()
        if counts[kind]
    ]
    headings = (_("Response"), _("Number"), _("Share"))
    return Table(_("Responses of the language model"), headings, [(_("All"), number(total, 0), "100 %"), *rows])


def _usage(labels: Facts) -> Mapping[str, object] | None:
    usage = labels.get("usage")
    return usage if isinstance(usage, Mapping) and "responses" in usage else None


def _kinds(_: Translation) -> dict[str, str]:
    return {
        "refused": _("Request rejected by the server"),
        "declined": _("Refusal"),
        "cut_off": _("Cut off at the maximum number of tokens"),
        "unfinished_thoughts": _("Reasoning without a translation"),
        "empty": _("Empty"),
        "copied": _("Copy of the source"),
        "obeyed": _("Instruction in the source, not translated"),
        "other_script": _("Another script"),
        "other_language": _("Another language"),
        "explained": _("Explanation"),
        "other_length": _("Unlikely length"),
        "mismatched": _("Line numbers that do not match (requested again one by one)"),
        "cleaned": _("Used, after other text was removed"),
        "removed_reasoning": _("… reasoning"),
        "removed_fences": _("… code fences"),
        "removed_wrappers": _("… JSON, tags, lists or the source"),
        "removed_preambles": _("… introductions, labels or remarks"),
        "removed_quotes": _("… quotation marks"),
    }
