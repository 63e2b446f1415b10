"""The corpus step: read, clean, split, mix, and write train, valid and test as Parquet."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import CorpusConfig
from distilmt.data import card, deduplication, mixing, parquet, sources
from distilmt.data.cleaning import Cleaner, Report
from distilmt.data.pairs import Pair, Splits
from distilmt.data.readers.files import read_pairs
from distilmt.data.sources import Origin
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path, write_json

REFERENCES = "references"
"""Step of a run in which the teacher gives references."""
_TOLD = 1000


def prepare(config: CorpusConfig, seed: int, directory: Path) -> dict[str, object]:
    """Write `train.parquet`, `valid.parquet`, `test.parquet`, `cleaning.json`, and the corpus card (.md and .json).

    Rows wait on disk until it is known which of them stay, so that memory does not grow with the corpus, but for a
    byte a row.

    Args:
        config: where pairs come from and what is dropped.
        seed: of what is drawn at random (Debian's split is the same for every seed).
        directory: where to; made if missing.

    Returns:
        Rows per split, pairs read for training (`read`), and `dropped` ones by reason.

    Raises:
        UserError: an input cannot be used, or nothing is left to train on.
    """
    staged = directory / ".staged.tmp"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        return _prepare(config, seed, directory, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _prepare(config: CorpusConfig, seed: int, directory: Path, staged: Path) -> dict[str, object]:
    cleaner = Cleaner(config.cleaning, config.source, config.target)
    held = {"valid": Report(), "test": Report()}
    opened, own = sources.open_all(config)
    given = _given(config, own, held["valid"])
    rows, marks = staged / "rows.parquet", staged / "marks"
    _stage(opened, cleaner, rows, marks)
    held_out = deduplication.HeldOut()
    held_out.add(pair[1:3] for pairs in given.values() for pair in pairs or ())
    fates = mixing.fates(marks, opened, held_out, config.cleaning)
    random = np.random.default_rng(seed)
    sizes = {"test": config.test_size, "valid": config.valid_size}
    missing = {name: size for name, size in sizes.items() if given[name] is None}
    drawn = parquet.draw(rows, mixing.drawn_from(opened), fates, missing, random)
    mixing.split_off(marks, fates, drawn, held_out, config.cleaning)
    for name, report in held.items():
        _write_held_out(directory / f"{name}.parquet", name, given[name], drawn.get(name, {}), report)
    with atomic_path(directory / "train.parquet") as path:
        mixing.write_train(rows, fates, opened, config.max_train, random, path)
        _complain_if_empty(opened)
    return _tell(config, seed, directory, opened, held)


def _tell(
    config: CorpusConfig, seed: int, directory: Path, opened: list[Origin], held: dict[str, Report]
) -> dict[str, object]:
    """Write what became of the pairs: all of them, and where there are several origins those of each."""
    train = Report.of([origin.report for origin in opened])
    told = {"train": train, **held}
    counts: dict[str, object] = {name: report.kept + report.repeated for name, report in told.items()}
    if len(opened) > 1:
        told |= {f"train: {origin.name}": origin.report for origin in opened}
    write_json(directory / "cleaning.json", {name: report.as_dict() for name, report in told.items()})
    card.write(config, seed, directory, opened, held)
    return {**counts, "read": train.read, "dropped": dict(train.dropped)}


def inputs(config: CorpusConfig) -> dict[str, str]:
    """Fingerprints of everything `prepare` reads; data sets are fetched if they are not there yet."""
    return sources.fingerprints(config)


def load(directory: Path, split: str) -> pa.Table:
    """A split written by `prepare`: columns id, source, target (null where the teacher has to say it).

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        found = pq.read_table(path, columns=parquet.SCHEMA.names)
    # A corpus of one language has no references of its own: the teacher gave some, in a step of the run.
    references = directory.resolve().parent / REFERENCES
    if split == "train" or found["target"].null_count < found.num_rows or not (references / path.name).exists():
        return found
    with _whole(references, split) as path:
        return pq.read_table(path, columns=parquet.SCHEMA.names)


def pairs(directory: Path) -> pa.Table:
    """The training sentences that have a translation; of a corpus of one language, those that the teacher gave.

    Raises:
        UserError: a file is missing or damaged.
    """
    train = load(directory, "train")
    found = train.filter(train["target"].is_valid())
    return found if found.num_rows else load(directory.resolve().parent / REFERENCES, "sample")


def count(directory: Path, split: str) -> int:
    """Rows of a split written by `prepare`.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        return pq.read_metadata(path).num_rows


def chosen(directory: Path, split: str, flags: parquet.Flags, size: int) -> Iterator[pa.Table]:
    """The flagged rows of a split in order, as tables of `size`, read as they are asked for.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        yield from parquet.chosen(path, flags, size)


@contextmanager
def _whole(directory: Path, split: str) -> Iterator[Path]:
    """A split's file; what goes wrong when it is read becomes a line with the remedy."""
    path = directory / f"{split}.parquet"
    try:
        yield path
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the corpus step first") from None
    except (pa.ArrowException, OSError):
        raise UserError(f"{path} is damaged: delete {directory} and run the corpus step again") from None


def _given(config: CorpusConfig, own: Splits, report: Report) -> dict[str, list[Pair] | None]:
    """Valid and test where they need not be drawn: files named for them go before what the origin splits off."""
    valid = list(read_pairs(config.valid, config.source, config.target)) if config.valid else own.valid
    test = list(read_pairs(config.test, config.source, config.target)) if config.test else own.test
    return {"valid": None if valid is None else _cut(valid, config.valid_size, report), "test": test}


def _cut(pairs: list[Pair], size: int, report: Report) -> list[Pair]:
    """The first validation pairs that are not empty."""
    report.read = len(pairs)
    kept: list[Pair] = []
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            report.drop("empty", pair)
        elif len(kept) == size:
            report.drop("over_valid_size", pair)
        else:
            kept.append(pair)
    return kept


def _stage(opened: list[Origin], cleaner: Cleaner, rows: Path, marks: Path) -> None:
    """Write the clean rows and their marks, origin after origin."""
    texts = any(origin.monolingual for origin in opened)
    with progress.task("clean sentences", None, "pairs") as task, deduplication.Writer(marks, texts) as writer:
        parquet.write_rows(rows, (row for origin in opened for row in _clean(origin, cleaner, writer, task)))
    start = 0
    for origin in opened:
        origin.rows = range(start, start + origin.report.kept)
        start = origin.rows.stop
    _complain_if_empty(opened)


def _clean(
    origin: Origin, cleaner: Cleaner, writer: deduplication.Writer, task: progress.Task
) -> Iterator[parquet.Row]:
    name, monolingual = origin.name, origin.monolingual
    told = _told(origin.pairs, task)
    for pair in cleaner.clean(told, origin.report, monolingual, origin.min_score):
        writer.add(pair, monolingual)
        yield parquet.Row(f"{name}-{pair.line:06d}", pair.source, None if monolingual else pair.target)


def _told(pairs: Iterable[Pair], task: progress.Task) -> Iterator[Pair]:
    number = 0
    for number, pair in enumerate(pairs, 1):
        if number % _TOLD == 0:
            task.advance(_TOLD)
        yield pair
    task.advance(number % _TOLD)


def _write_held_out(
    path: Path, split: str, given: list[Pair] | None, drawn: dict[int, parquet.Row], report: Report
) -> None:
    """Write valid or test: pairs that were given, or rows that were drawn from the training text."""
    rows = [parquet.Row(_id_in(split, row.id), row.source, row.target) for row in drawn.values()]
    report.read = max(report.read, len(given or rows))
    with atomic_path(path) as temporary:
        if given is None:
            parquet.write_rows(temporary, rows)
        else:
            parquet.write_pairs(temporary, split, given)


def _id_in(split: str, name: str) -> str:
    """A row's id in another split: `train-000017` becomes `test-000017`, `mono-000017` `test-mono-000017`."""
    return f"{split}-{name.removeprefix('train-')}"


def _complain_if_empty(opened: list[Origin]) -> None:
    report = Report.of([origin.report for origin in opened])
    if report.kept > 0:
        return
    reasons = sorted(report.dropped.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{reason} {count}" for reason, count in reasons)
    raise UserError(
        f"train has 0 pairs left of {report.read} (dropped: {told}):"
        " loosen corpus.cleaning, or check that the files and languages are the right ones"
    )
