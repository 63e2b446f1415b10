"""Section of the challenge sets, with the failures of each system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distilmt.report.format import escape, language_tag, number, p_value
from distilmt.report.languages import Words
from distilmt.report.tables import scrolling


def challenge_table(report: Mapping[str, Any], words: Words) -> str:
    """A table for every system with challenge results, or an empty text."""
    results = report.get("examination") or {}
    pair = report.get("pair") or {}
    return "".join(f"<h3>{escape(name)}</h3>{_table(name, rows, pair, words)}" for name, rows in results.items())


def _table(name: str, rows: list[Mapping[str, Any]], pair: Mapping[str, Any], words: Words) -> str:
    keys = ("challenge", "inputs", "fails", "teacher_fails", "p_value", "verdict", "examples")
    head = "".join(f'<th scope="col">{words[key]}</th>' for key in keys)
    body = "".join(_row(row, pair, words) for row in rows)
    table = f'<table class="reasons"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return scrolling(table, f"{words['examination']}: {name}")


def _row(row: Mapping[str, Any], pair: Mapping[str, Any], words: Words) -> str:
    cases = row["cases"]
    shares = "".join(f"<td>{number(100 * row[key] / cases, 0)} %</td>" for key in ("student", "teacher"))
    verdict = words["passed"] if row["passed"] else f"<strong>{words['failed']}</strong>"
    name = words.get(f"challenge_{row['name']}", row["name"])
    return (
        f'<tr><th scope="row">{escape(name)}</th><td>{number(cases, 0)}</td>{shares}'
        f"<td>{escape(p_value(row['p_value']))}</td><td>{verdict}</td><td>{_examples(row, pair, words)}</td></tr>"
    )


def _examples(row: Mapping[str, Any], pair: Mapping[str, Any], words: Words) -> str:
    tags = language_tag(pair.get("source", "")), language_tag(pair.get("target", ""))
    items = "".join(
        f'<li><span dir="auto" lang="{tags[0]}">{escape(example["source"])}</span>'
        f'<span dir="auto" lang="{tags[1]}">{escape(example["translation"])}</span></li>'
        for example in row["examples"]
    )
    return f'<details><summary>{words["show"]}</summary><ul class="pairs">{items}</ul></details>' if items else "–"
