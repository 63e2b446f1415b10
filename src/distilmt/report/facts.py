"""Facts by name, and what the cleaning of a corpus dropped, as records that the templates show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.report.format import MISSING, number, number_or_none, size
from distilmt.report.languages import Translation
from distilmt.report.schema import Facts

Definition = tuple[str, str]
"""A name and a value, as text."""


@dataclass(frozen=True)
class DroppedPairs:
    """A rule, the number of pairs that it dropped, and some of them (source and target)."""

    rule: str
    count: str
    examples: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Cleaning:
    """The cleaning of a corpus, or of the named part of it."""

    name: str
    facts: Sequence[Definition]
    dropped: Sequence[DroppedPairs]


@dataclass(frozen=True)
class CorpusView:
    """Numbers of pairs, and the cleaning of each part."""

    facts: Sequence[Definition]
    parts: Sequence[Cleaning]


def corpus_view(corpus: Facts, _: Translation) -> CorpusView:
    """Numbers of pairs, and the cleaning of the whole corpus or of each source."""
    parts = corpus.get("cleaning") or {key: part for key, part in corpus.items() if _is_cleaning(part)}
    if not parts and _is_cleaning(corpus):
        return CorpusView([], [_cleaning("", corpus, _)])
    numbers = {key: value for key, value in corpus.items() if number_or_none(value) is not None}
    named_parts = parts.items() if isinstance(parts, Mapping) else []
    registers = corpus.get("registers")
    names = {"registers": _("Training rows by register")}
    by_register = definitions({"registers": registers}, names) if registers else []
    return CorpusView([*definitions(numbers), *by_register], [_cleaning(key, part, _) for key, part in named_parts])


def _is_cleaning(value: object) -> bool:
    return isinstance(value, Mapping) and "dropped" in value


def _cleaning(name: str, summary: Facts, _: Translation) -> Cleaning:
    """What was read and dropped by every rule."""
    names = {"read": _("Pairs read"), "kept": _("Pairs kept")}
    facts = [(text, number(number_or_none(summary[key]), 0)) for key, text in names.items() if key in summary]
    dropped = summary.get("dropped")
    rules = dropped.items() if isinstance(dropped, Mapping) else []
    return Cleaning(name, facts, [_dropped_pairs(rule, tally) for rule, tally in rules])


def _dropped_pairs(rule: str, tally: object) -> DroppedPairs:
    """A rule's count, with examples except in reports of older versions."""
    if not isinstance(tally, Mapping):
        return DroppedPairs(rule, number(number_or_none(tally), 0), [])
    examples = [(str(e.get("source", "")), str(e.get("target", ""))) for e in tally.get("examples") or []]
    return DroppedPairs(rule, number(number_or_none(tally.get("count")), 0), examples)


def definitions(facts: Facts, names: Mapping[str, str] | None = None) -> list[Definition]:
    """Facts as text; `names` replaces keys, which are otherwise shown with spaces for underscores."""
    shown_names = names or {}
    return [(shown_names.get(key, key.replace("_", " ")), _text(key, value)) for key, value in facts.items()]


def _text(key: str, value: object) -> str:
    if value is None or value == "" or value == []:
        return MISSING
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(str(name), inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_text(key, inner) for inner in value)
    amount = number_or_none(value)
    if amount is None:
        return str(value)
    if key.endswith("_bytes"):
        return size(amount)
    return number(amount, 0) if isinstance(value, int) else f"{amount:.4g}"
