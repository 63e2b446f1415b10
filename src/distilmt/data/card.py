"""The corpus card: the sources of a corpus, for readers (`card.md`) and for programs (`card.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

from distilmt import __version__
from distilmt.config import CorpusConfig
from distilmt.data.cleaning import CleaningReport, DroppedPairs
from distilmt.data.contamination import Contamination, findings
from distilmt.data.sources import CorpusSource
from distilmt.utils.dates import date_for_programs
from distilmt.utils.run_dir import fingerprint_files, write_json, write_text

_EXAMPLES = 2
_SHOWN_CHARS = 80


_Place = TypedDict("_Place", {"from": list[str]})

SourceCard = TypedDict(
    "SourceCard",
    {
        "id": str,  # prefix of the ids of its rows
        "from": list[str],
        "license": str | None,
        "monolingual": bool,
        "weight": float,
        "read": int,
        "split_off": int,  # rows of valid and test
        "train": int,
        "dropped": dict[str, DroppedPairs],  # by the cleaning rule
    },
)
"""A source of the training text."""


class CorpusCard(TypedDict):
    """Content of `card.json`."""

    languages: dict[str, str]
    """`source` and `target`."""
    date: str
    distilmt: str
    seed: int
    fingerprint: str
    rows: dict[str, int]
    """By split."""
    sources: list[SourceCard]
    held_out: dict[str, _Place]
    """Where valid and test come from."""


def write_card(
    config: CorpusConfig,
    seed: int,
    directory: Path,
    sources: list[CorpusSource],
    held_out_reports: Mapping[str, CleaningReport],
    contaminations: Mapping[str, Contamination] = MappingProxyType({}),
) -> None:
    """Write `card.json` and `card.md` next to the splits, which must exist.

    Args:
        config: configuration of the corpus.
        seed: seed of the sampling.
        directory: directory of the corpus.
        sources: sources of the training text, with their reports.
        held_out_reports: reports of valid and test.
        contaminations: faults of the sources by their names.
    """
    card = _card(config, seed, directory, sources, held_out_reports)
    write_json(directory / "card.json", card)
    write_text(directory / "card.md", _markdown(card) + _findings(contaminations))


def _card(
    config: CorpusConfig,
    seed: int,
    directory: Path,
    sources: list[CorpusSource],
    held_out_reports: Mapping[str, CleaningReport],
) -> CorpusCard:
    files = [directory / f"{split}.parquet" for split in ("train", "valid", "test")]
    return {
        "languages": {"source": config.source, "target": config.target},
        "date": date_for_programs(),
        "distilmt": __version__,
        "seed": seed,
        "fingerprint": fingerprint_files(*files),
        "rows": {
            "train": sum(source.report.retained_count + source.report.repeated for source in sources),
            **{split: report.retained_count for split, report in held_out_reports.items()},
        },
        "sources": [_source(source) for source in sources],
        "held_out": {
            split: {"from": getattr(config, split) or _held_out_of(config, report)}
            for split, report in held_out_reports.items()
        },
    }


def _held_out_of(config: CorpusConfig, report: CleaningReport) -> list[str]:
    return [config.dataset] if config.dataset else ["the training text"]


def _source(source: CorpusSource) -> SourceCard:
    report = source.report
    return {
        "id": source.name,
        "from": source.locations,
        "license": source.license,
        "monolingual": source.monolingual,
        "weight": source.weight,
        "read": report.read,
        "split_off": report.dropped.get("split_off", 0),
        "train": report.retained_count + report.repeated,
        "dropped": {
            rule: {"count": entry["count"], "examples": entry["examples"][:_EXAMPLES]}
            for rule, entry in report.dropped_pairs().items()
        },
    }


def _markdown(card: CorpusCard) -> str:
    languages, rows = card["languages"], card["rows"]
    lines = [
        f"# Corpus {languages['source']} → {languages['target']}",
        "",
        f"Created by distilmt {card['distilmt']} on {card['date']}, seed {card['seed']}, fingerprint"
        f" `{card['fingerprint']}`.",
        "",
        "| split | rows | from |",
        "| --- | ---: | --- |",
        f"| train | {rows['train']:,} | the sources below |",
        *(f"| {split} | {rows[split]:,} | {_places(entry['from'])} |" for split, entry in card["held_out"].items()),
        "",
        "| source (prefix of its ids) | from | license | weight | read | valid and test | train |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {source['id']} | {_places(source['from'])} | {_cell(source['license'] or 'not known')} |"
            f" {source['weight']:g} | {source['read']:,} | {source['split_off']:,} | {source['train']:,} |"
            for source in card["sources"]
        ),
        "",
    ]
    if any(source["monolingual"] for source in card["sources"]):
        lines += ["Rows of text in one language have no target: the teacher translates them.", ""]
    for source in card["sources"]:
        lines += _dropped(source)
    return "\n".join(lines)


def _findings(contaminations: Mapping[str, Contamination]) -> str:
    """The section on the faults of the sources; empty without any."""
    lines = [
        f"- {name}: {_cell(finding)}"
        for name, contamination in contaminations.items()
        for finding in findings(contamination)
    ]
    return "\n".join(["", "## Contamination, before cleaning", "", *lines, ""]) if lines else ""


def _dropped(source: SourceCard) -> list[str]:
    if not source["dropped"]:
        return []
    rows = []
    for rule, entry in source["dropped"].items():
        examples = [
            f"{each['line']}: {_shown(each['source'])} → {_shown(each['target'])}" for each in entry["examples"]
        ]
        rows.append(f"| {rule} | {entry['count']:,} | {'<br>'.join(examples)} |")
    head = ["| rule | pairs | examples (line: text) |", "| --- | ---: | --- |"]
    return [f"## Not in train, of {source['id']}", "", *head, *rows, ""]


def _places(places: list[str]) -> str:
    return ", ".join(f"`{_cell(place)}`" for place in places)


def _shown(text: str) -> str:
    return _cell(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…")


def _cell(text: str) -> str:
    """Escape text so that it stays within a cell of a Markdown table and is shown literally."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")
