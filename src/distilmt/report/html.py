"""Render a report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distilmt.report.build import to_strict_json
from distilmt.report.challenge_section import challenge_table
from distilmt.report.cost import cost_section
from distilmt.report.examples import examples_section
from distilmt.report.figures import curves_figure, scatter_figure
from distilmt.report.format import escape, number, number_or_none, rate, signed, size
from distilmt.report.languages import Words, named, words_for
from distilmt.report.layout import Page, render_page, tile
from distilmt.report.summary import (
    by_name,
    deployed_system,
    difference,
    findings,
    headline,
    ratio,
    speed,
    teacher_system,
)
from distilmt.report.tables import comparisons_table, corpus_table, definitions, health_table, systems_table
from distilmt.utils.run_dir import write_json, write_text


def write_report(report: Mapping[str, Any], directory: Path, language: str) -> None:
    """Write `report.json` and `report.html` to a directory, each atomically.

    Raises:
        UserError: the report cannot be written in that language (`en` and `zh` can).
    """
    clean = to_strict_json(report)
    page = render(clean, language)
    write_json(directory / "report.json", clean)
    write_text(directory / "report.html", page)


def render(report: Mapping[str, Any], language: str) -> str:
    """The page; missing values are left out or shown as a dash."""
    words = words_for(language)
    pair = report.get("pair") or {}
    direction = f"{pair.get('source', '?')} → {pair.get('target', '?')}"
    provenance = words["made"].format(
        version=escape(report.get("distilmt_version") or "–"), date=escape(report.get("date") or "–")
    )
    page = Page(
        language=language,
        title=f"{words['title']}: {direction}",
        headline=headline(report, words),
        findings="".join(f"<li>{escape(sentence)}</li>" for sentence in findings(report, words)),
        tiles=_tiles(report, words),
        sections=_sections(report, words),
        provenance=provenance,
    )
    return render_page(page)


def _sections(report: Mapping[str, Any], words: Words) -> str:
    sentences = number((report.get("test") or {}).get("sentences"), 0)
    beams = {number(system.get("beam_size"), 0) for system in report.get("systems") or []}
    about = words["systems_note"].format(sentences=sentences, beam=", ".join(sorted(beams)) or "–")
    parts = [
        ("systems", about, systems_table(report, words)),
        ("scatter", "", scatter_figure(report, words)),
        ("comparisons", words["comparisons_note"], comparisons_table(report, words)),
        ("examples", "", examples_section(report, words)),
        ("health", words["health_note"], health_table(report, words)),
        ("examination", words["examination_note"], challenge_table(report, words)),
        ("curves", "", curves_figure(report, words)),
        ("cost", "", cost_section(report, words)),
        ("corpus", "", _corpus(report, words)),
        ("labels", "", _mapping(report.get("labels") or {})),
        ("method", "", _method(report, words)),
    ]
    return "".join(_section(name, note, body, words) for name, note, body in parts)


def _section(name: str, note: str, body: str, words: Words) -> str:
    """A section with its heading; without content it shows a note."""
    text = f'<p class="note">{note}</p>' if note and body else ""
    content = body or f'<p class="note">– {words["missing"]}</p>'
    heading = f'<h2 id="{name}-heading">{words[name]}</h2>'
    return f'<section class="{name}" aria-labelledby="{name}-heading">{heading}{text}{content}</section>'


def _tiles(report: Mapping[str, Any], words: Words) -> str:
    """Size, speed, quality and memory of the student against the teacher."""
    student, teacher = deployed_system(report, "student"), teacher_system(report)
    if student is None or teacher is None:
        return ""
    a, b = by_name(report)[student], by_name(report)[teacher]
    change = difference(report, student, teacher)
    tiles = [
        ("size", size(a.get("file_bytes")), size(b.get("file_bytes")), _times(b, a, "file_bytes")),
        ("speed", rate(speed(a)), rate(speed(b)), _written(ratio(speed(a), speed(b)), "×")),
        ("quality", number(a.get("bleu")), number(b.get("bleu")), signed(change["difference"] if change else None)),
        ("memory", size(a.get("peak_rss_bytes")), size(b.get("peak_rss_bytes")), _times(b, a, "peak_rss_bytes")),
    ]
    other = named(teacher, words)
    return "".join(_tile(*tile, other, words) for tile in tiles)


def _times(first: Mapping[str, Any], second: Mapping[str, Any], key: str) -> str:
    return _written(ratio(first.get(key), second.get(key)), "÷")


def _written(value: float | None, sign: str) -> str:
    return "" if value is None else f"{sign}{number(value)}"


def _tile(name: str, value: str, other: str, change: str, teacher: str, words: Words) -> str:
    return tile(words[f"tile_{name}"], value, change, words["tile_teacher"].format(object=teacher, value=other))


def _corpus(report: Mapping[str, Any], words: Words) -> str:
    """Numbers of pairs, and the cleaning of the whole corpus or of each source."""
    corpus, pair = report.get("corpus") or {}, report.get("pair") or {}
    parts = corpus.get("cleaning") or {key: part for key, part in corpus.items() if _is_cleaning(part)}
    if not parts and _is_cleaning(corpus):
        return corpus_table(corpus, pair, words)
    sizes = {key: value for key, value in corpus.items() if number_or_none(value) is not None}
    tables = "".join(f"<h3>{escape(key)}</h3>{corpus_table(part, pair, words)}" for key, part in parts.items())
    return _mapping(sizes) + tables


def _is_cleaning(value: Any) -> bool:
    return isinstance(value, dict) and "dropped" in value


def _method(report: Mapping[str, Any], words: Words) -> str:
    test = report.get("test") or {}
    signatures = [value for key, value in test.items() if key.endswith("_signature") and value]
    machine = [(words.get(key, key), _fact(key, value)) for key, value in (report.get("machine") or {}).items()]
    config = report.get("config") or {}
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    details = f"<details><summary>{words['config']}</summary><pre>{escape(text)}</pre></details>" if config else ""
    scores = "<br>".join(f"<code>{escape(value)}</code>" for value in signatures) or "–"
    return (
        f"<h3>{words['signature']}</h3><p><code>{escape(report.get('signature') or '–')}</code></p>"
        f"<h3>{words['score_signatures']}</h3><p>{scores}</p>"
        f"<h3>{words['machine']}</h3>{definitions(machine) or '<p>–</p>'}{details}"
    )


def _mapping(values: Mapping[str, Any]) -> str:
    """A list of facts by name."""
    return definitions([(key.replace("_", " "), _fact(key, value)) for key, value in values.items()])


def _fact(key: str, value: Any) -> str:
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{escape(name)} {_fact(str(name), inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_fact(key, inner) for inner in value)
    amount = number_or_none(value)
    if amount is None:
        return escape(value)
    if key.endswith("_bytes"):
        return size(amount)
    return number(amount, 0) if isinstance(value, int) else f"{amount:.4g}"
