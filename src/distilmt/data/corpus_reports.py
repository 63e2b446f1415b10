"""Reports of a corpus: cleaning.json, contamination.json and the corpus card."""

from __future__ import annotations

import logging
from pathlib import Path

from distilmt.config import CorpusConfig
from distilmt.data import card
from distilmt.data.cleaning import CleaningReport
from distilmt.data.contamination import Contamination, findings
from distilmt.data.mixing import HeldOutOverlap
from distilmt.data.sources import CorpusSource
from distilmt.utils.run_dir import write_json
from distilmt.utils.step_results import CorpusResult

logger = logging.getLogger(__name__)

CONTAMINATION = "contamination.json"
"""In the directory of a corpus: its contamination report."""


def write_reports(
    config: CorpusConfig,
    seed: int,
    directory: Path,
    corpus_sources: list[CorpusSource],
    held_out_reports: dict[str, CleaningReport],
    contaminations: dict[str, Contamination],
) -> CorpusResult:
    """Write the cleaning report of all pairs and, if there are several sources, of each source."""
    train = CleaningReport.of([source.report for source in corpus_sources])
    reports = {"train": train, **held_out_reports}
    counts = {name: report.retained_count + report.repeated for name, report in reports.items()}
    if len(corpus_sources) > 1:
        reports |= {f"train: {source.name}": source.report for source in corpus_sources}
    write_json(directory / "cleaning.json", {name: report.as_dict() for name, report in reports.items()})
    card.write_card(config, seed, directory, corpus_sources, held_out_reports, contaminations)
    return CorpusResult(**counts, read=train.read, dropped=dict(train.dropped))


def write_contamination(directory: Path, contaminations: dict[str, Contamination], overlap: HeldOutOverlap) -> None:
    """Write the contamination report, and log its findings."""
    path = directory / CONTAMINATION
    write_json(path, {"overlap": overlap, "sources": contaminations})
    for name, contamination in contaminations.items():
        for finding in findings(contamination):
            logger.warning(f"corpus, {name}: {finding} (see {path})")
    if overlap["remaining"]:
        logger.warning(
            f"corpus: {overlap['remaining']:,} training pairs share a side with valid or test: set"
            " corpus.cleaning.drop_duplicates to true to drop them"
        )
