"""The corpus step: read, clean, split, mix, and write train, valid and test as Parquet."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import CorpusConfig
from distilmt.data import deduplication, mixing, parquet, sources
from distilmt.data.cleaning import Cleaner, CleaningReport
from distilmt.data.contamination import Inspector
from distilmt.data.corpus_reports import write_contamination, write_reports
from distilmt.data.language_evidence import check_identifier
from distilmt.data.line_splitting import split_lines
from distilmt.data.pairs import Pair, Splits
from distilmt.data.readers.files import read_pairs
from distilmt.data.registers import RowRegisters, write_registers
from distilmt.data.sources import CorpusSource
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path
from distilmt.utils.step_results import CorpusResult

logger = logging.getLogger(__name__)

REFERENCES = "references"
"""Step of a run in which the teacher generates references."""
_PROGRESS_STEP = 1000


def prepare(config: CorpusConfig, seed: int, directory: Path) -> CorpusResult:
    """Write the splits (train, valid and test, .parquet), cleaning.json, contamination.json and the corpus card.

    Rows are stored on disk until it is known which of them stay, so that memory grows by only three bytes per row
    of the corpus.

    Args:
        config: sources of the pairs and cleaning rules.
        seed: seed of the sampling (Debian's split is the same for every seed).
        directory: output directory; created if missing.

    Returns:
        Rows per split, pairs read for training, and dropped pairs by reason.

    Raises:
        UserError: an input cannot be used, or no training pairs remain.
    """
    staged = directory / ".staged.tmp"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        return _prepare(config, seed, directory, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _prepare(config: CorpusConfig, seed: int, directory: Path, staged: Path) -> CorpusResult:
    cleaner = Cleaner(config.cleaning, config.source, config.target)
    held_out_reports = {"valid": CleaningReport(), "test": CleaningReport()}
    corpus_sources, own = sources.open_sources(config)
    existing_splits = _existing_splits(config, own, held_out_reports["valid"])
    rows, hashes = staged / "rows.parquet", staged / "marks"
    registers = RowRegisters()
    inspectors = _inspect(corpus_sources, config)
    _stage(corpus_sources, cleaner, rows, hashes, registers)
    held_out = deduplication.HeldOut()
    held_out.add(pair[1:3] for pairs in existing_splits.values() for pair in pairs or ())
    drop_reasons = mixing.drop_reasons(hashes, corpus_sources, held_out, config.cleaning)
    random = np.random.default_rng(seed)
    sizes = {"test": config.test_size, "valid": config.valid_size}
    missing = {name: size for name, size in sizes.items() if existing_splits[name] is None}
    split_rows = parquet.sample_splits(rows, mixing.split_candidates(corpus_sources), drop_reasons, missing, random)
    mixing.hold_out(hashes, drop_reasons, split_rows, held_out, config.cleaning)
    for name, report in held_out_reports.items():
        _write_held_out(directory / f"{name}.parquet", name, existing_splits[name], split_rows.get(name, {}), report)
    _report_small_splits({name: len(split_rows.get(name, {})) for name in missing}, sizes)
    with atomic_path(directory / "train.parquet") as path:
        mixing.write_train(
            rows, drop_reasons, corpus_sources, config.max_train, random, path, registers, config.register_targets
        )
        _check_not_empty(corpus_sources)
    write_registers(directory, registers, existing_splits, split_rows)
    overlap = mixing.held_out_overlap(hashes, drop_reasons, held_out)
    contaminations = {name: inspector.contamination() for name, inspector in inspectors.items()}
    write_contamination(directory, contaminations, overlap)
    result = write_reports(config, seed, directory, corpus_sources, held_out_reports, contaminations)
    _check_counts(directory, result)
    return result


def _report_small_splits(split_counts: dict[str, int], sizes: dict[str, int]) -> None:
    """Tell where fewer pairs were held out than were wanted."""
    for name, count in split_counts.items():
        if count < sizes[name]:
            logger.info(
                f"corpus.{name}_size is {sizes[name]:,}, but {count:,} pairs are held out, since no more than a tenth"
                f" of the corpus is: name files of your own with corpus.{name} for more"
            )


def _check_counts(directory: Path, result: CorpusResult) -> None:
    """Check that the files have as many rows as were counted: else one was lost on the way."""
    for split in ("train", "valid", "test"):
        rows, count = count_rows(directory, split), getattr(result, split)
        if rows != count:
            raise RuntimeError(f"{directory / split}.parquet has {rows} rows, but {count} were counted")


def _sampled_languages(config: CorpusConfig) -> tuple[str, str] | None:
    """The language codes of both sides, if languages are identified."""
    if not config.identify_languages:
        return None
    check_identifier()
    return config.source, config.target


def inputs(config: CorpusConfig) -> dict[str, str]:
    """Fingerprints of all inputs of `prepare`; data sets are downloaded if missing."""
    return sources.fingerprints(config)


def load_split(directory: Path, split: str) -> pa.Table:
    """A split written by `prepare`: columns id, source, target (null if the teacher must translate it).

    Raises:
        UserError: the file is missing or damaged.
    """
    with _readable_split(directory, split) as path:
        table = pq.read_table(path, columns=parquet.SCHEMA.names)
    # A monolingual corpus has no references: the teacher generates them in a step of the run.
    references = directory.resolve().parent / REFERENCES
    if split == "train" or table["target"].null_count < table.num_rows or not (references / path.name).exists():
        return table
    with _readable_split(references, split) as path:
        return pq.read_table(path, columns=parquet.SCHEMA.names)


def load_training_pairs(directory: Path) -> pa.Table:
    """The training sentences with a translation; in a monolingual corpus, those of the teacher.

    Raises:
        UserError: a file is missing or damaged.
    """
    train = load_split(directory, "train")
    table = train.filter(train["target"].is_valid())
    return table if table.num_rows else load_split(directory.resolve().parent / REFERENCES, "sample")


def count_rows(directory: Path, split: str) -> int:
    """Rows of a split written by `prepare`.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _readable_split(directory, split) as path:
        return int(pq.read_metadata(path).num_rows)


def iter_selected(directory: Path, split: str, flags: parquet.Flags, size: int) -> Iterator[pa.Table]:
    """The flagged rows of a split in order, as tables of `size` rows, read lazily.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _readable_split(directory, split) as path:
        yield from parquet.iter_selected_rows(path, flags, size)


@contextmanager
def _readable_split(directory: Path, split: str) -> Iterator[Path]:
    """Open a split's file; read errors become one line with the remedy."""
    path = directory / f"{split}.parquet"
    try:
        yield path
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the corpus step first") from None
    except (pa.ArrowException, OSError):
        raise UserError(f"{path} is damaged: delete {directory} and run the corpus step again") from None


def _existing_splits(config: CorpusConfig, own: Splits, report: CleaningReport) -> dict[str, list[Pair] | None]:
    """Valid and test that need no sampling: configured files take precedence over the splits of the source."""
    valid = list(read_pairs(config.valid, config.source, config.target)) if config.valid else own.valid
    test = list(read_pairs(config.test, config.source, config.target)) if config.test else own.test
    return {"valid": None if valid is None else _cut(valid, config.valid_size, report), "test": test}


def _cut(pairs: list[Pair], size: int, report: CleaningReport) -> list[Pair]:
    """The first validation pairs without empty sides."""
    report.read = len(pairs)
    valid_pairs: list[Pair] = []
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            report.drop("empty", pair)
        elif len(valid_pairs) == size:
            report.drop("over_valid_size", pair)
        else:
            valid_pairs.append(pair)
    return valid_pairs


def _inspect(corpus_sources: list[CorpusSource], config: CorpusConfig) -> dict[str, Inspector]:
    """Let an inspector watch the pairs of each source, and split them into sentences after it if that is configured."""
    languages = _sampled_languages(config)
    inspectors = {source.name: Inspector(languages, source.monolingual) for source in corpus_sources}
    for source in corpus_sources:
        source.pairs = inspectors[source.name].watch(source.pairs)
        if config.split_sentences:
            source.pairs = split_lines(source.pairs, source.name, source.monolingual)
    return inspectors


def _stage(
    corpus_sources: list[CorpusSource], cleaner: Cleaner, rows: Path, hashes: Path, registers: RowRegisters
) -> None:
    """Write the clean rows, and the hashes and registers of each, source by source."""
    texts = any(source.monolingual for source in corpus_sources)
    with progress.task("clean sentences", None, "pairs") as task, deduplication.HashWriter(hashes, texts) as writer:
        parquet.write_rows(
            rows,
            (row for source in corpus_sources for row in _clean(source, cleaner, writer, registers, task)),
        )
    start = 0
    for source in corpus_sources:
        source.rows = range(start, start + source.report.retained_count)
        start = source.rows.stop
    _check_not_empty(corpus_sources)


def _clean(
    source: CorpusSource,
    cleaner: Cleaner,
    writer: deduplication.HashWriter,
    registers: RowRegisters,
    task: progress.Task,
) -> Iterator[parquet.CorpusRow]:
    name, monolingual = source.name, source.monolingual
    raw_pairs = _with_progress(source.pairs, task)
    for pair in cleaner.clean(raw_pairs, source.report, monolingual, source.min_score):
        writer.add(pair, monolingual)
        registers.add(pair.register or source.register)
        yield parquet.CorpusRow(f"{name}-{pair.place}", pair.source, None if monolingual else pair.target)


def _with_progress(pairs: Iterable[Pair], task: progress.Task) -> Iterator[Pair]:
    number = 0
    for number, pair in enumerate(pairs, 1):
        if number % _PROGRESS_STEP == 0:
            task.advance(_PROGRESS_STEP)
        yield pair
    task.advance(number % _PROGRESS_STEP)


def _write_held_out(
    path: Path,
    split: str,
    existing_pairs: list[Pair] | None,
    rows_by_number: dict[int, parquet.CorpusRow],
    report: CleaningReport,
) -> None:
    """Write valid or test: given pairs, or rows sampled from the training text."""
    rows = [parquet.CorpusRow(_id_in(split, row.id), row.source, row.target) for row in rows_by_number.values()]
    report.read = max(report.read, len(existing_pairs or rows))
    with atomic_path(path) as temporary:
        if existing_pairs is None:
            parquet.write_rows(temporary, rows)
        else:
            parquet.write_pairs(temporary, split, existing_pairs)


def _id_in(split: str, name: str) -> str:
    """A row's id in another split: `train-000017` becomes `test-000017`, `mono-000017` `test-mono-000017`."""
    return f"{split}-{name.removeprefix('train-')}"


def _check_not_empty(corpus_sources: list[CorpusSource]) -> None:
    report = CleaningReport.of([source.report for source in corpus_sources])
    if report.retained_count > 0:
        return
    reasons = sorted(report.dropped.items(), key=lambda item: -item[1])[:4]
    summary = ", ".join(f"{reason} {count}" for reason, count in reasons)
    raise UserError(
        f"train has 0 pairs left of {report.read} (dropped: {summary}):"
        " loosen corpus.cleaning, or check the files and languages"
    )
