"""Example translations of all systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distilmt.report.diff import mark_differences
from distilmt.report.format import escape, language_tag, number
from distilmt.report.languages import Words
from distilmt.report.plots import series
from distilmt.report.summary import deployed_system, teacher_system

_MARKS = ("reference", "teacher", "nothing")


def examples_section(report: Mapping[str, Any], words: Words) -> str:
    """All examples, with a choice of the text to mark differences from; empty without examples."""
    examples = report.get("examples") or []
    if not examples:
        return ""
    kinds = [example.get("chosen") for example in examples]
    note = words["examples_note"].format(random=kinds.count("random"), differs=kinds.count("differs"))
    choices = "".join(_choice(name, words) for name in _MARKS)
    cards = "".join(_card(example, report, words) for example in examples)
    return (
        f'<p class="note">{note}</p><fieldset class="marks"><legend>{words["mark"]}</legend>{choices}</fieldset>'
        f'<div class="examples">{cards}</div>'
    )


def _choice(name: str, words: Words) -> str:
    checked = " checked" if name == _MARKS[0] else ""
    label = words[f"mark_{name}"]
    return f'<label><input type="radio" name="mark" id="mark-{name}"{checked}> {label}</label>'


def _card(example: Mapping[str, Any], report: Mapping[str, Any], words: Words) -> str:
    pair = report.get("pair") or {}
    teacher = teacher_system(report)
    mains = [teacher, deployed_system(report, "student"), deployed_system(report, "baseline")]
    translations = example.get("translations") or {}
    first = [name for name in mains if name in translations]
    other_systems = [name for name in translations if name not in first]
    source = _row("", words["source"], escape(example.get("source", "")), pair.get("source", ""))
    reference = _row("", words["reference"], escape(example.get("reference", "")), pair.get("target", ""))
    others = ""
    if other_systems:
        rows = "".join(_translation(name, example, teacher, pair) for name in other_systems)
        others = f"<details><summary>{words['others']}</summary><dl>{rows}</dl></details>"
    chosen = words.get(str(example.get("chosen")), "")
    shown = "".join(_translation(str(name), example, teacher, pair) for name in first)
    return f'<article><span class="tag">{chosen}</span><dl>{source}{reference}{shown}</dl>{others}</article>'


def _translation(name: str, example: Mapping[str, Any], teacher: str | None, pair: Mapping[str, Any]) -> str:
    translations = example["translations"]
    target = str(pair.get("target", ""))
    original = translations.get(teacher) if teacher and teacher != name else None
    text = mark_differences(str(translations[name]), str(example.get("reference", "")), original, target)
    chrf = (example.get("chrf") or {}).get(name)
    score = f' <small title="chrF">{number(chrf, 0)}</small>' if chrf is not None else ""
    return _row(series(name), escape(name) + score, text, target)


def _row(css: str, heading: str, text: str, language: object) -> str:
    return f'<div class="{css}"><dt>{heading}</dt><dd dir="auto" lang="{language_tag(language)}">{text}</dd></div>'
