"""The corpus step: read, clean, split, and write train, valid and test as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt import progress
from distilmt.config import CorpusConfig
from distilmt.corpora import apt, debian, huggingface, splitting, staging
from distilmt.corpora.cleaning import Cleaner, Report
from distilmt.corpora.readers import Pair, Splits, check_files, read_pairs
from distilmt.errors import UserError
from distilmt.rundir import atomic_path, fingerprint_files, write_json

_TOLD = 1000


class _Reports(NamedTuple):
    train: Report
    valid: Report
    test: Report


def prepare(config: CorpusConfig, seed: int, directory: Path) -> dict[str, object]:
    """Write `train.parquet`, `valid.parquet`, `test.parquet` and `cleaning.json`.

    Args:
        config: where pairs come from and what is dropped.
        seed: of what is drawn at random (Debian's split is the same for every seed).
        directory: where to; made if missing.

    Returns:
        Pairs per split, pairs read for training (`read`), and `dropped` ones by reason.

    Raises:
        UserError: an input cannot be used, or nothing is left to train on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cleaner = Cleaner(config.cleaning, config.source, config.target)
    reports = _Reports(cleaner.report, Report(), Report())
    splits = _open(config, reports)
    staged = directory / ".cleaned.parquet"
    try:
        _stage(splits, cleaner, staged)
        _write_splits(config, seed, splits, cleaner, staged, directory, reports)
    finally:
        staged.unlink(missing_ok=True)
    write_json(directory / "cleaning.json", {name: report.as_dict() for name, report in reports._asdict().items()})
    counts: dict[str, object] = {name: report.kept for name, report in reports._asdict().items()}
    return {**counts, "read": reports.train.read, "dropped": dict(reports.train.dropped)}


def inputs(config: CorpusConfig) -> dict[str, str]:
    """Fingerprints of everything `prepare` reads; Debian's indices are fetched if they are not there yet."""
    _check(config)
    found: dict[str, str] = {}
    for split, paths in (("train", config.train), ("valid", config.valid), ("test", config.test)):
        check_files(paths)
        found.update({f"{split}:{path}": fingerprint_files(Path(path)) for path in paths})
    if config.name == "debian":
        found["debian"] = apt.fetch([config.source, config.target], apt.default_cache()).fingerprint
    elif config.name:
        found[config.name] = huggingface.data_fingerprint(config.name)
    return found


def load(directory: Path, split: str) -> pa.Table:
    """A split written by `prepare`: columns id, source, target.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        return pq.read_table(path, columns=staging.SCHEMA.names)


def count(directory: Path, split: str) -> int:
    """Rows of a split written by `prepare`.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        return pq.read_metadata(path).num_rows


def chosen(directory: Path, split: str, flags: staging.Flags, size: int) -> Iterator[pa.Table]:
    """The flagged rows of a split in order, as tables of `size`, read as they are asked for.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        yield from staging.chosen(path, flags, size)


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


def _check(config: CorpusConfig) -> None:
    if bool(config.name) == bool(config.train):
        which = "both are" if config.name else "neither is"
        raise UserError(f"set corpus.train (files) or corpus.name (debian or hf:NAME): {which} set")
    if config.name and config.name != "debian" and not config.name.startswith("hf:"):
        raise UserError(f"corpus.name is {config.name!r}: write debian or hf:NAME, or name files with corpus.train")


def _open(config: CorpusConfig, reports: _Reports) -> Splits:
    """The pairs of all origins; files named for valid and test go before what the origin splits off."""
    _check(config)
    origin = _open_origin(config)
    valid = list(read_pairs(config.valid, config.source, config.target)) if config.valid else origin.valid
    test = list(read_pairs(config.test, config.source, config.target)) if config.test else origin.test
    return Splits(origin.train, None if valid is None else _cut(valid, config.valid_size, reports.valid), test)


def _open_origin(config: CorpusConfig) -> Splits:
    if not config.name:
        return Splits(read_pairs(config.train, config.source, config.target), None, None)
    if config.name != "debian":
        return huggingface.read(config.name, config.source, config.target)
    indices = apt.fetch([config.source, config.target], apt.default_cache())
    records = list(debian.pairs(indices, config.source, config.target))
    valid_size = 0 if config.valid else config.valid_size
    return splitting.split(records, valid_size, 0 if config.test else config.test_size)


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


def _stage(splits: Splits, cleaner: Cleaner, staged: Path) -> None:
    """Write the clean training pairs, valid and test not yet drawn from them."""
    cleaner.hold_out([*(splits.valid or ()), *(splits.test or ())])
    with progress.task("clean sentence pairs", None, "pairs") as task:
        staging.write_pairs(staged, "train", cleaner.clean(_told(splits.train, task)))
    _complain_if_empty(cleaner.report)


def _told(pairs: Iterable[Pair], task: progress.Task) -> Iterator[Pair]:
    number = 0
    for number, pair in enumerate(pairs, 1):
        if number % _TOLD == 0:
            task.advance(_TOLD)
        yield pair
    task.advance(number % _TOLD)


def _write_splits(
    config: CorpusConfig,
    seed: int,
    splits: Splits,
    cleaner: Cleaner,
    staged: Path,
    directory: Path,
    reports: _Reports,
) -> None:
    random = np.random.default_rng(seed)
    sizes = {"test": config.test_size, "valid": config.valid_size}
    given = {"test": splits.test, "valid": splits.valid}
    drawn = staging.draw(staged, {name: sizes[name] for name in sizes if given[name] is None}, random)
    stays = _remaining(staged, drawn, cleaner)
    _subsample(stays, config.max_train, random, cleaner.report)
    _complain_if_empty(cleaner.report)
    for name, report in (("test", reports.test), ("valid", reports.valid)):
        pairs = list(drawn[name].values()) if name in drawn else given[name] or []
        report.read = max(report.read, len(pairs))
        with atomic_path(directory / f"{name}.parquet") as path:
            staging.write_pairs(path, name, pairs)
    with atomic_path(directory / "train.parquet") as path:
        staging.copy_rows(staged, stays, path)


def _remaining(staged: Path, drawn: dict[str, dict[int, Pair]], cleaner: Cleaner) -> staging.Flags:
    """Which rows stay in train once valid and test are drawn; those that do not are counted as dropped."""
    stays = np.ones(pq.read_metadata(staged).num_rows, bool)
    if not drawn:
        return stays
    rows = set().union(*drawn.values())
    for pairs in drawn.values():
        cleaner.hold_out(pairs.values())
    for row, pair in enumerate(staging.read_pairs(staged)):
        if row in rows or cleaner.leaks(pair):
            cleaner.report.drop("split_off" if row in rows else "in_test", pair)
            stays[row] = False
    return stays


def _subsample(stays: staging.Flags, size: int | None, random: np.random.Generator, report: Report) -> None:
    rows = np.flatnonzero(stays)
    if size is not None and size < len(rows):
        stays[random.choice(rows, len(rows) - max(0, size), replace=False)] = False
        report.count("not_drawn", len(rows) - max(0, size))


def _complain_if_empty(report: Report) -> None:
    if report.kept > 0:
        return
    reasons = sorted(report.dropped.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{reason} {count}" for reason, count in reasons)
    raise UserError(
        f"train has 0 pairs left of {report.read} (dropped: {told}):"
        " loosen corpus.cleaning, or check that the files and languages are the right ones"
    )
